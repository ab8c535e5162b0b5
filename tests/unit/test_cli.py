import errno
import json
import os
import threading
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path

import pytest

from orchestration.client.ingest_events import ConnectionLost, Welcomed
from orchestration.commands.bot import Reporter
from tests.unit.command_line import run, service_in_a_thread

NOWHERE = "http://127.0.0.1:1"
DATA = Path(__file__).parents[1] / "data"


@pytest.mark.parametrize(
    "arguments",
    [
        ("status",),
        ("watch", "s1"),
        ("export", "s1"),
        ("bot", str(DATA / "reading.flac")),
    ],
)
def test_a_service_that_is_not_there_is_one_sentence(arguments: tuple[str, ...]) -> None:
    result = run(*arguments, "--url", NOWHERE)
    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: No orchestration service answers at {NOWHERE}:"
        " start one with `orchestration up`, or name another with --url.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("missing.wav",), "Cannot read missing.wav: No such file or directory."),
        ((str(DATA / "reading.txt"),), "it is not audio I know."),
        (("samples.raw",), "Cannot read samples.raw: No such file or directory."),
        ((str(DATA / "reading.flac"), "--name", "a", "--name", "b"), "1 times, not 2."),
        ((str(DATA / "reading.flac"), "--speakers", "no.json"), "Cannot read no.json"),
        (
            (str(DATA / "reading.flac"), "--speakers", str(DATA / "reading.json")),
            "is not a list of speaker events",
        ),
        (
            (str(DATA / "reading.flac"), str(DATA / "reading.flac"), "--speakers", "x"),
            "--speakers goes with one mixed file",
        ),
    ],
)
def test_files_and_options_that_do_not_fit_are_one_sentence(
    arguments: tuple[str, ...], says: str
) -> None:
    result = run("bot", *arguments, "--url", NOWHERE)
    assert result.exit_code == 1
    assert says in result.stderr
    assert result.stderr.count("\n") == 1


def test_the_demo_outside_of_a_clone_says_what_it_lacks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("orchestration.commands.demo.DATA", tmp_path)
    result = run("demo", "--url", NOWHERE)
    assert result.exit_code == 1
    assert "run it from a clone" in result.stderr


@pytest.mark.parametrize("arguments", [("status",), ("export", "s1")])
def test_another_program_at_the_address_is_not_taken_for_the_service(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    empty_folder = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with HTTPServer(("127.0.0.1", 0), empty_folder) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        result = run(*arguments, "--url", url)
        server.shutdown()
    assert result.exit_code == 1
    assert f"No orchestration service answers at {url}:" in result.stderr


def test_a_demo_by_a_named_service_starts_none_of_its_own() -> None:
    result = run("demo", "--url", NOWHERE)
    assert result.exit_code == 1
    assert f"No orchestration service answers at {NOWHERE}" in result.stderr
    assert "Ray" not in result.stderr


def test_a_url_of_a_service_is_of_http() -> None:
    result = run("status", "--url", "127.0.0.1:3000")
    assert result.exit_code == 2
    assert "127.0.0.1:3000 does not begin with http:// or https://." in result.stderr


def test_a_refused_key_is_the_services_own_sentence() -> None:
    with service_in_a_thread() as service:
        refusal = {"code": "not_authenticated", "detail": "This key is not the service's."}
        service.answers["GET", "/api/sessions/s1/transcript"] = (401, refusal)
        result = run("export", "s1", "--url", service.url, ORCHESTRATION_API_KEY="wrong")
        assert service.authorization == "Bearer wrong"
    assert (result.exit_code, result.stderr) == (1, "Error: This key is not the service's.\n")


def test_a_refused_request_names_its_fields() -> None:
    with service_in_a_thread() as service:
        fault = {"field": "language", "message": "String should match pattern '^[a-z]{2,3}$'"}
        refusal = {"detail": "The request is not as documented.", "errors": [fault]}
        service.answers["POST", "/api/sessions"] = (422, refusal)
        arguments = ("bot", str(DATA / "reading.flac"), "--language", "english")
        result = run(*arguments, "--url", service.url)
    assert (result.exit_code, result.stderr) == (
        1,
        "Error: The request is not as documented.\n"
        "language: String should match pattern '^[a-z]{2,3}$'\n",
    )


def test_export_writes_the_services_file_byte_for_byte(tmp_path: Path) -> None:
    subtitles = "1\n00:00:01,000 --> 00:00:02,000\nAna: Olá.\n"
    with service_in_a_thread() as service:
        service.answers["GET", "/api/sessions/s1/transcript"] = (200, subtitles)
        service.answers["GET", "/api/sessions/s1"] = (200, {"target_languages": ["pt"]})
        path = tmp_path / "out.srt"
        arguments = ("export", "s1", "--format", "srt", "--language", "pt", "--url", service.url)
        assert run(*arguments).stdout == subtitles
        assert run(*arguments, "-o", str(path)).exit_code == 0
        result = run(*arguments, "-o", str(tmp_path / "no" / "out.srt"))
    assert path.read_text("utf-8") == subtitles
    assert service.requests[0][2] == {"format": "srt", "language": "pt"}
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)


def test_an_export_that_fails_leaves_the_file_of_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "out.txt"
    path.write_text("Ana: Before.\n")
    with service_in_a_thread() as service:
        service.answers["GET", "/api/sessions/s1/transcript"] = (200, "Ana: Now.\n")
        monkeypatch.setattr(os, "fsync", fail)
        result = run("export", "s1", "-o", str(path), "--url", service.url)
    assert result.stderr == f"Error: Cannot write {path}: No space left on device.\n"
    assert [one.name for one in tmp_path.iterdir()] == ["out.txt"]
    assert path.read_text() == "Ana: Before.\n"


def test_an_export_to_a_device_or_through_a_link_leaves_it_there(tmp_path: Path) -> None:
    path, link = tmp_path / "out.txt", tmp_path / "link.txt"
    link.symlink_to(path)
    with service_in_a_thread() as service:
        service.answers["GET", "/api/sessions/s1/transcript"] = (200, "Ana: Now.\n")
        for target in (link, Path("/dev/null")):
            assert run("export", "s1", "-o", str(target), "--url", service.url).exit_code == 0
    assert (link.is_symlink(), path.read_text()) == (True, "Ana: Now.\n")


def test_export_in_a_language_that_nothing_was_translated_to_says_so() -> None:
    with service_in_a_thread() as service:
        service.answers["GET", "/api/sessions/s1/transcript"] = (200, "Ana: Hello.\n")
        service.answers["GET", "/api/sessions/s1"] = (200, {"target_languages": ["pt"]})
        result = run("export", "s1", "--language", "de", "--url", service.url)
    assert (result.exit_code, result.stdout) == (0, "Ana: Hello.\n")
    assert result.stderr == "Session s1 is not translated to de: as spoken.\n"


def test_status_shows_parts_and_sessions() -> None:
    with service_in_a_thread() as service:
        part = {"name": "whisper", "status": "unhealthy", "detail": "no answer"}
        session = {"session_id": "s1", "status": "active", "title": "Weekly [bold]"}
        service.answers["GET", "/api/health"] = (503, {"status": "unhealthy"})
        service.answers["GET", "/api/services"] = (200, {"services": {"whisper": part}})
        service.answers["GET", "/api/sessions"] = (200, {"items": [session]})
        result = run("status", "--url", service.url, COLUMNS="120")
    assert result.exit_code == 0
    for text in ("is unhealthy", "whisper", "no answer", "s1", "Weekly [bold]"):
        assert text in result.stdout


def test_a_bots_outage_is_said_once_and_so_is_its_end() -> None:
    said: list[str] = []
    report = Reporter(said.append)
    for event in (Welcomed(1), ConnectionLost(None, 0), ConnectionLost(None, 1), Welcomed(1)):
        report(event)
    report(ConnectionLost(None, 2))
    lost = "The connection was lost; what is not stored yet will be sent again."
    assert said == [lost, "The service is back.", lost]


def test_a_meeting_without_a_title_has_its_files_names() -> None:
    with service_in_a_thread() as service:
        service.answers["POST", "/api/sessions"] = (201, {"session_id": "s1"})
        arguments = ("bot", str(DATA / "reading.flac"), "--speed", "0", "--url", service.url)
        assert run(*arguments).exit_code == 0
    assert service.requests[0][2] == {"title": "reading.flac"}


def test_bot_plays_a_file_with_its_speakers_and_tells_where_to_look(tmp_path: Path) -> None:
    events = [
        {"event": "start", "participant_id": "p-1", "name": "Ana", "sample": 1600},
        {"event": "stop", "participant_id": "p-1", "name": "Ana", "sample": 16_000},
    ]
    speakers = tmp_path / "speakers.json"
    speakers.write_text(json.dumps(events))
    with service_in_a_thread() as service:
        service.answers["POST", "/api/sessions"] = (201, {"session_id": "s1"})
        result = run(
            "bot", str(DATA / "reading.flac"), "--speakers", str(speakers), "--speed", "0",
            "--title", "Reading", "--translate", "pt", "--url", service.url,
        )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert f"Session s1, live at {service.url}/#s1\n" in result.stdout
    assert service.requests[0][2] == {"title": "Reading", "target_languages": ["pt"]}
    said = [(fact["event"], fact["sample"]) for fact in service.facts if fact["type"] == "speaker"]
    assert said == [("start", 1600), ("stop", 16_000)]
    clocks = [fact for fact in service.facts if fact["type"] == "clock"]
    rate = clocks[1]["sample"] // 5
    assert [clock["sample"] for clock in clocks] == [n * 5 * rate for n in range(len(clocks))]
    assert clocks[1]["unix_ms"] - clocks[0]["unix_ms"] == 5000
