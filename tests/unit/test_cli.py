import asyncio
import errno
import io
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from orchestration.cli import main
from orchestration.client.ingest_events import ConnectionLost, Welcomed
from orchestration.client.live_transcript import LiveTranscript
from orchestration.commands.bot import Reporter
from orchestration.commands.rendering import (
    LivePrinter,
    PlainPrinter,
    clock_text,
    coverage_line,
    progress_line,
    safe,
)
from tests.doubles.unreliable_service import UnreliableService, unreliable_service

NOWHERE = "http://127.0.0.1:1"
DATA = Path(__file__).parents[1] / "data"


def run(*arguments: str, **environ: str) -> Result:
    return CliRunner().invoke(main, arguments, env={"ORCHESTRATION_API_KEY": "", **environ})


@contextmanager
def service_in_a_thread() -> Iterator[UnreliableService]:
    """The command runs a loop of its own, so the service needs another thread."""
    ready, started = threading.Event(), []
    stop: list[Any] = []

    async def serve() -> None:
        async with unreliable_service() as service:
            done = asyncio.Event()
            stop.extend((asyncio.get_running_loop(), done))
            started.append(service)
            ready.set()
            await done.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    ready.wait()
    try:
        yield started[0]
    finally:
        stop[0].call_soon_threadsafe(stop[1].set)
        thread.join()


def segment(number: int, start: float, text: str, state: str = "final") -> dict[str, Any]:
    return {
        "segment_id": f"0-{number}",
        "revision": 0,
        "state": state,
        "stream": 0,
        "start": start,
        "end": start + 2,
        "speaker": {"id": "p-1", "name": "Ana", "confidence": 1.0, "method": "temporal"},
        "language": "en",
        "text": text,
        "translations": {},
    }


def translation(seq: int, number: int, text: str) -> dict[str, Any]:
    return {
        "type": "translation",
        "seq": seq,
        "segment_id": f"0-{number}",
        "language": "pt",
        "text": text,
        "state": "final",
        "revision": 0,
    }


MEETING: list[dict[str, Any]] = [
    {
        "type": "snapshot",
        "seq": 0,
        "session": {"status": "active", "target_languages": ["pt"]},
        "segments": [],
        "truncated": False,
    },
    {"type": "segment", "segment": segment(0, 1.0, "Good mor", "pending")},
    {"type": "segment", "seq": 1, "segment": segment(0, 1.0, "Good morning.")},
    translation(2, 0, "Bom dia."),
    {"type": "segment", "seq": 3, "segment": segment(1, 65.5, "\x1b[2JBye.")},
    {"type": "status", "seq": 4, "status": "completed", "detail": None},
]
COVERAGE = {
    "streams": [
        {
            "id": 0,
            "sample_rate": 8000,
            "duration": 80_000,
            "transcribed": 60_000,
            "silent": 16_000,
            "pending": 0,
            "lost": 4000,
            "lost_by_reason": {"capture_skipped": 4000},
        }
    ]
}


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
        (("missing.wav",), "Cannot read missing.wav: there is no such file."),
        ((str(DATA / "reading.txt"),), "it is not audio I know."),
        (("samples.raw",), "Cannot read samples.raw: there is no such file."),
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


def test_watch_without_a_terminal_prints_finals_and_translations() -> None:
    with service_in_a_thread() as service:
        service.live_parts = [(MEETING, 1000)]
        service.answers["GET", "/api/sessions/s1/coverage"] = (200, COVERAGE)
        result = run("watch", "s1", "--url", service.url)
    assert result.stdout == "[0:01] Ana: Good morning.\n[0:01] (pt) Bom dia.\n[1:05] Ana: [2JBye.\n"
    assert result.stderr == (
        "completed: 10.0 s of audio: 7.5 s transcribed, 2.0 s silent, 0.0 s pending, 0.5 s lost\n"
    )


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


def test_a_terminal_shows_pending_text_and_then_the_settled_line() -> None:
    output = io.StringIO()
    console = Console(file=output, force_terminal=True, width=100, highlight=False)
    transcript = LiveTranscript()
    printer = LivePrinter(console, transcript)
    printer.start()
    for message in MEETING[:2]:
        printer.update(message, transcript.apply(message))
    assert "Good mor" in output.getvalue()
    for message in MEETING[2:]:
        printer.update(message, transcript.apply(message))
    printer.stop()
    shown = output.getvalue()
    assert shown.rindex("Good morning.") < shown.rindex("Bom dia.") < shown.rindex("[2JBye.")
    assert "\x1b[2JBye" not in shown


def test_a_name_found_late_repaints_its_lines() -> None:
    transcript = LiveTranscript()
    for message in MEETING:
        transcript.apply(message)
    ben = {"id": "p-2", "name": "Ben", "confidence": 0.9, "method": "temporal"}
    named = {"type": "speaker", "seq": 5, "speaker": ben}
    transcript.apply({**named, "segments": [{"segment_id": "0-1", "revision": 1}]})
    assert transcript.speaker_names == ["Ana", "Ben"]
    colours = [transcript.colour(one) for one in transcript.finals.values()]
    assert len(set(colours)) == 2


def test_a_viewer_takes_up_languages_that_change() -> None:
    transcript = LiveTranscript()
    transcript.apply({**MEETING[0], "session": {"title": "Weekly", "target_languages": ["pt"]}})
    told = {"type": "session", "seq": 1, "language": "en", "target_languages": ["es"]}
    transcript.apply(told)
    assert transcript.target_languages == ["es"]
    assert (transcript.session["title"], transcript.session["language"]) == ("Weekly", "en")


def test_a_plain_snapshot_prints_what_was_said_before() -> None:
    output = io.StringIO()
    transcript = LiveTranscript()
    printer = PlainPrinter(Console(file=output, width=40), transcript)
    said = segment(0, 3725, "Late words that are longer than the terminal is wide.")
    said["translations"] = {"pt": {"text": "Tarde.", "state": "final"}}
    message = {**MEETING[0], "segments": [said]}
    printer.update(message, transcript.apply(message))
    assert output.getvalue() == (
        "[1:02:05] Ana: Late words that are longer than the terminal is wide.\n"
        "[1:02:05] (pt) Tarde.\n"
    )


def test_figures_read_as_people_say_them() -> None:
    assert [clock_text(seconds) for seconds in (0, 65.9, 3600)] == ["0:00", "1:05", "1:00:00"]
    assert safe("a\x1b[31m\nb") == "a[31m b"
    assert safe("10\u202f000\u00a0€\u2028می\u200cکنم") == "10 000 € می\u200cکنم"
    assert safe("\u202e\x9b1m\x07") == "1m"
    assert coverage_line(COVERAGE["streams"]).startswith("10.0 s of audio: 7.5 s transcribed")
    assert progress_line(COVERAGE["streams"]) == "7.5 s transcribed, 2.0 s silent, 0.5 s lost"
