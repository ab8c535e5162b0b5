"""Settings from defaults, file and environment."""

import re
from pathlib import Path

import pytest

from orchestration.config.environment import hash_key
from orchestration.config.layers import load_settings
from orchestration.config.loader import file_layer, validated
from orchestration.config.merging import leaves
from orchestration.config.models import Settings
from orchestration.config.session_values import session_values
from orchestration.errors import ConfigurationError

ROOT = Path(__file__).parents[3]
KEY = "correct-horse-battery-staple"


def test_defaults_listen_on_loopback_only() -> None:
    settings = load_settings({"ORCHESTRATION_DATA_DIR": "/data"})
    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 3000)
    assert settings.data_dir == Path("/data")


def test_the_documented_defaults_are_the_defaults() -> None:
    documented = load_settings({"ORCHESTRATION_DATA_DIR": "/d"}, ROOT / "configs" / "default.yaml")
    assert documented == Settings(data_dir=Path("/d"))


def test_every_setting_is_in_the_file_of_defaults_and_in_the_handbook() -> None:
    settings = dict(leaves(Settings(data_dir=Path("/d")).model_dump()))
    written, _ = file_layer(ROOT / "configs" / "default.yaml")
    assert set(settings) - set(dict(leaves(written))) == {"data_dir"}
    handbook = (ROOT / "docs" / "operations.md").read_text()
    design = (ROOT / "docs" / "design.md").read_text()
    for place in settings:
        section, _, name = place.rpartition(".")
        page = design if section == "sessions.chunking" else handbook
        assert re.search(rf"\b{name}\b", page), f"{place} is not in the documentation"


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "meetings.example"])
def test_a_host_beyond_loopback_without_a_key_is_refused(host: str) -> None:
    with pytest.raises(ConfigurationError, match="ORCHESTRATION_API_KEY"):
        load_settings({"HOST": host})


def test_a_host_in_the_brackets_of_a_url_is_the_one_between_them() -> None:
    assert load_settings({"HOST": "[::1]"}).server.host == "::1"
    with pytest.raises(ConfigurationError, match="HOST :: is reachable"):
        load_settings({"HOST": "[::]"})


def test_the_key_is_kept_as_its_hash_only() -> None:
    settings = load_settings({"HOST": "0.0.0.0", "ORCHESTRATION_API_KEY": KEY})
    assert settings.server.api_key_sha256 == hash_key(KEY)
    assert KEY not in settings.model_dump_json()


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="16 characters"):
        load_settings({"ORCHESTRATION_API_KEY": "short"})


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "o.yaml"
    file.write_text("server: {port: 4000}\nservices: {timeout_s: 7}\n")
    settings = load_settings({"PORT": "5000"}, file)
    assert (settings.server.port, settings.services.timeout_s) == (5000, 7)


def test_the_gateway_may_wait_otherwise_than_the_pools_do() -> None:
    settings = load_settings({"SERVICE_TIMEOUT": "7", "GATEWAY_TIMEOUT": "20"})
    assert (settings.services.timeout_s, settings.services.gateway_timeout_s) == (7, 20)
    assert load_settings({}).services.gateway_timeout_s is None


def test_services_come_by_comma() -> None:
    settings = load_settings(
        {"WHISPER_SERVICE_URL": "http://a:1, http://b:2", "TRANSLATION_SERVICE_URL": "http://t:3"}
    )
    assert [one.url for one in settings.services.whisper] == ["http://a:1", "http://b:2"]
    assert settings.services.translation[0].kind == "libretranslate"


@pytest.mark.parametrize(
    "text",
    [
        "server: {port: x}",
        "nonsense: 1",
        "- a list",
        "server: {",
        "\x00",
        "nonsense: " + "[" * 3000 + "]" * 3000,
        "nonsense: &a [*a]",
        "nonsense: 2026-99-99",
        "1: 2",
        "retention: {sessions_days: 800000}",
        "sessions: {recording_retention_days: 1000000000000}",
        "server: {sign_in_lifetime_s: 1000000000000000}",
        "services: {health_check_interval_s: .inf}",
        "ingest: {hello_timeout_s: .inf}",
    ],
)
def test_a_bad_file_is_refused_with_a_sentence(tmp_path: Path, text: str) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    with pytest.raises(ConfigurationError):
        load_settings({}, file)


def test_a_section_that_stands_twice_is_refused_rather_than_half_forgotten(tmp_path: Path) -> None:
    file = tmp_path / "o.yaml"
    file.write_text("server: {port: 4000}\nlive: {}\nserver: {host: 127.0.0.1}\n")
    with pytest.raises(ConfigurationError, match="server stands twice"):
        load_settings({}, file)
    file.write_text("live: &live {replay_events: 5}\nserver: {port: 4000}\n")
    assert load_settings({}, file).server.port == 4000


def test_paths_in_a_file_are_the_same_wherever_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "o.yaml"
    file.write_text("data_dir: meetings\ngoogle_meet: {credentials_file: ~/meet.json}")
    settings = load_settings({"HOME": "/nowhere"}, file)
    assert settings.data_dir == tmp_path / "meetings"
    assert settings.google_meet.credentials_file == Path.home() / "meet.json"


def test_a_user_without_a_home_names_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nowhere)
    assert load_settings({"ORCHESTRATION_DATA_DIR": "/d"}).data_dir == Path("/d")
    assert load_settings({"XDG_DATA_HOME": "/x"}).data_dir == Path("/x/orchestration")
    with pytest.raises(ConfigurationError, match="set ORCHESTRATION_DATA_DIR"):
        load_settings({"XDG_DATA_HOME": "not/absolute"})


@pytest.mark.parametrize("name", ["ORCHESTRATION_API_KEY", "WHISPER_MODEL", "DATABASE_URL"])
def test_a_variable_that_is_no_text_is_named(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} is not text in UTF-8"):
        load_settings({name: "\udcff" * 20})


@pytest.mark.parametrize("key", [KEY + "\n", " " + KEY, "ключ" * 5])
def test_a_key_that_no_request_could_carry_is_refused(key: str) -> None:
    with pytest.raises(ConfigurationError, match="without line ends"):
        load_settings({"ORCHESTRATION_API_KEY": key})


def test_a_key_may_be_of_several_words() -> None:
    load_settings({"ORCHESTRATION_API_KEY": "correct horse battery staple"})


@pytest.mark.parametrize("url", ["postgresql://u:p/w@h/db", "postgres://u:pw@h:99999/db"])
def test_a_database_url_that_cannot_be_read_is_refused_before_anything_starts(url: str) -> None:
    with pytest.raises(ConfigurationError, match="%2F") as refused:
        load_settings({"DATABASE_URL": url})
    assert "pw" not in refused.value.message


def test_lengths_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "o.yaml"
    file.write_text("sessions: {chunking: {chunk_ms: 2000, overlap_ms: 2000}}")
    with pytest.raises(
        ConfigurationError, match="overlap_ms must be below chunk_ms by at least 500"
    ):
        load_settings({}, file)


def test_session_actors_get_the_same_values_without_pydantic() -> None:
    values = session_values(Settings(data_dir=Path("/d")))
    assert values.chunking.chunk_ms == 4000
    assert values.abandoned_after_ms == 300_000


def test_googles_credentials_come_from_the_environment() -> None:
    environ = {
        "GOOGLE_APPLICATION_CREDENTIALS": "/keys/bot.json",
        "GOOGLE_MEET_CREDENTIALS": "{}",
        "GOOGLE_MEET_SUBJECT": "host@example.org",
    }
    google_meet = load_settings(environ).google_meet
    assert google_meet.credentials_file == Path("/keys/bot.json")
    assert (google_meet.credentials_json, google_meet.subject) == ("{}", "host@example.org")


def test_faults_are_said_in_the_words_of_a_settings_file() -> None:
    with pytest.raises(ConfigurationError) as refused:
        validated(
            {"data_dir": "d"},
            {"server": {"prot": 1}, "database": {"url": "mysql://user:secret@host/x"}},
        )
    assert refused.value.message.splitlines() == [
        "Setting server.prot: there is no setting of this name.",
        "Setting database.url: it must begin with postgresql://.",
    ]


@pytest.mark.parametrize(
    "origin", ["app.example.org", "https://a.example/page", "http://[::1", "*"]
)
def test_an_origin_that_no_browser_sends_is_refused(origin: str) -> None:
    with pytest.raises(ConfigurationError, match="is no origin"):
        load_settings({"ALLOWED_ORIGINS": f"https://b.example, {origin}"})


def test_origins_are_of_pages_and_of_extensions() -> None:
    origins = "https://b.example:8443/, chrome-extension://abcdef"
    assert len(load_settings({"ALLOWED_ORIGINS": origins}).server.allowed_origins) == 2
