"""Files and variables as editors, shells and secret stores make them."""

from pathlib import Path

import pytest

from orchestration.config.layers import load_settings
from orchestration.config.section import LARGEST_NUMBER
from orchestration.errors import ConfigurationError


def written(folder: Path, text: str) -> Path:
    file = folder / "o.yaml"
    file.write_bytes(text.encode())
    return file


def test_a_file_of_windows_is_read_like_any_other(tmp_path: Path) -> None:
    file = written(tmp_path, "\ufeffserver:\r\n  port: 4000\r\n  host: 127.0.0.1\r\n")
    server = load_settings({}, file).server
    assert (server.port, server.host) == (4000, "127.0.0.1")


def test_white_space_around_a_variable_is_no_part_of_it() -> None:
    settings = load_settings(
        {
            "HOST": "127.0.0.1\r",
            "PORT": " 3001\n",
            "LOG_LEVEL": "debug\r",
            "ORCHESTRATION_DATA_DIR": "/data\r",
            "DATABASE_URL": "postgresql://h/db\r\n",
            "WHISPER_SERVICE_URL": "http://a:1\r",
            "WHISPER_SERVICE_MODEL": "large-v3\r",
            "WHISPER_SERVICE_API_KEY": "key of a service\n",
            "TRANSLATION_SERVICE_URL": " \r\n",
        }
    )
    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 3001)
    assert (settings.log_level, settings.data_dir) == ("DEBUG", Path("/data"))
    assert settings.database.url == "postgresql://h/db"
    (whisper,) = settings.services.whisper
    assert (whisper.url, whisper.model) == ("http://a:1", "large-v3")
    assert whisper.api_key == "key of a service"
    assert settings.services.translation == ()


def test_the_file_that_a_variable_names_is_found_in_spite_of_a_line_end(tmp_path: Path) -> None:
    file = written(tmp_path, "server: {port: 4000}")
    assert load_settings({"ORCHESTRATION_CONFIG": f"{file}\r"}).server.port == 4000


def test_a_home_in_a_variable_is_the_users_where_no_shell_has_put_it_in() -> None:
    environ = {
        "ORCHESTRATION_DATA_DIR": "~/meetings",
        "GOOGLE_APPLICATION_CREDENTIALS": "~/meet.json",
    }
    settings = load_settings(environ)
    assert settings.data_dir == Path.home() / "meetings"
    assert settings.google_meet.credentials_file == Path.home() / "meet.json"


def test_a_section_of_which_nothing_is_left_changes_nothing(tmp_path: Path) -> None:
    file = written(tmp_path, "server:\n#  port: 4000\nsessions:\n  chunking:\nlive: {}\n")
    assert load_settings({}, file) == load_settings({})


def test_a_section_that_is_none_is_said_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load_settings({}, written(tmp_path, "server: 3000\nlive: [1]\n"))
    assert refused.value.message.splitlines() == [
        f"Setting {name}: it is a section, and has its settings below it."
        for name in ("server", "live")
    ]


@pytest.mark.parametrize("off", ["off", "'off'"])
def test_the_diarizer_is_off_with_quotes_and_without(tmp_path: Path, off: str) -> None:
    file = written(tmp_path, f"services: {{diarizer: {off}}}")
    assert load_settings({}, file).services.diarizer == "off"


@pytest.mark.parametrize("key", ["two\nlines", "bell\a", "delete\x7f"])
def test_a_services_key_that_no_request_can_carry_is_refused_and_not_told(key: str) -> None:
    environ = {"WHISPER_SERVICE_URL": "http://a", "WHISPER_SERVICE_API_KEY": key}
    with pytest.raises(ConfigurationError, match=r"whisper\.0\.api_key .*line ends") as refused:
        load_settings(environ)
    assert key not in refused.value.message


@pytest.mark.parametrize(
    "text",
    [
        'data_dir: "a\\0b"',
        'services: {embedded_whisper: {model: "a\\0b"}}',
        'database: {url: "postgresql://h/\\ud800"}',
        'sessions: {loopback_names: ["a\\0b"]}',
    ],
)
def test_characters_that_nothing_can_store_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationError, match="characters that cannot be stored"):
        load_settings({}, written(tmp_path, text))


@pytest.mark.parametrize("number", [LARGEST_NUMBER + 1, 10**30, 1e300])
def test_a_number_larger_than_any_that_counts_is_refused(tmp_path: Path, number: float) -> None:
    for place in ("live: {snapshot_segments", "services: {stalled_after_s"):
        with pytest.raises(ConfigurationError, match=f"at most {LARGEST_NUMBER}"):
            load_settings({}, written(tmp_path, f"{place}: {number:.0f}}}"))


@pytest.mark.parametrize(
    ("environ", "place"),
    [
        ({"PORT": "http"}, "server.port (PORT)"),
        ({"LOG_LEVEL": "loud"}, "log_level (LOG_LEVEL)"),
        ({"DATABASE_URL": "mysql://h/x"}, "database.url (DATABASE_URL)"),
        (
            {"WHISPER_SERVICE_URL": "http://a, gpu:1"},
            "services.whisper.1.url (AUDIO_SERVICE_URL or WHISPER_SERVICE_URL)",
        ),
        (
            {"TRANSLATION_SERVICE_URL": "http://a", "TRANSLATION_SERVICE_API_KEY": "a\nb"},
            "services.translation.0.api_key (TRANSLATION_SERVICE_API_KEY)",
        ),
    ],
)
def test_a_bad_value_is_told_by_the_variable_that_it_came_from(
    environ: dict[str, str], place: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load_settings(environ)
    assert refused.value.message.startswith(f"Setting {place}: ")


def test_a_bad_value_of_the_file_is_told_by_its_place_alone(tmp_path: Path) -> None:
    file = written(tmp_path, "server: {port: http}\ndatabase: {url: mysql://h/x}")
    with pytest.raises(ConfigurationError) as refused:
        load_settings({"HOST": "127.0.0.1"}, file)
    said = refused.value.message
    assert said.startswith("Setting server.port: ")
    assert "Setting database.url: it must begin with postgresql://." in said
