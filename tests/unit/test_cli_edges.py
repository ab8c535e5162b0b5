"""Names, files, outputs and addresses that few think of, as a person at a terminal meets them."""

import errno
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestration.client.api import OrchestrationClient
from orchestration.client.player import load_speaker_events
from orchestration.commands.connection import default_url
from orchestration.errors import UnreadableFile
from tests.doubles.unreliable_service import unreliable_service
from tests.unit.command_line import run, service_in_a_thread

NOWHERE = "http://127.0.0.1:1"
READING = Path(__file__).parents[1] / "data" / "reading.flac"
LATIN_1 = os.fsdecode(b"caf\xe9")
"""A name as a machine of the nineties wrote it: no UTF-8."""


@pytest.fixture
def far_east(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A user nine hours ahead of UTC."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("far_east")
def test_sessions_are_shown_by_the_users_own_clock() -> None:
    with service_in_a_thread() as service:
        session = {"session_id": "s1", "created_at": "2026-09-21T23:13:20.000Z"}
        service.answers["GET", "/api/health"] = (200, {"status": "healthy"})
        service.answers["GET", "/api/services"] = (200, {"services": {}})
        service.answers["GET", "/api/sessions"] = (200, {"items": [session]})
        result = run("status", "--url", service.url, COLUMNS="120")
    assert "2026-09-22 08:13" in result.stdout


@pytest.mark.usefixtures("far_east")
async def test_a_moment_without_a_zone_is_one_of_the_callers_clock() -> None:
    async with unreliable_service() as service, OrchestrationClient(service.url) as client:
        service.answers["GET", "/api/search"] = (200, {"items": []})
        since = datetime(2026, 9, 22, 8, 13)
        await client.search("budget", since=since, until=datetime(2026, 9, 22, tzinfo=UTC))
    (_, _, asked), *_ = service.requests
    assert asked["from"] == "2026-09-22T08:13:00+09:00"
    assert asked["to"] == "2026-09-22T00:00:00+00:00"


def test_the_address_of_a_page_is_one_of_its_service() -> None:
    with service_in_a_thread() as service:
        service.answers["GET", "/api/sessions/s1/transcript"] = (200, "Ana: Hello.\n")
        result = run("export", "s1", "--url", f"{service.url}/#s1")
    assert (result.exit_code, result.stdout) == (0, "Ana: Hello.\n")


def test_a_folder_is_no_audio_and_is_said_to_be_one(tmp_path: Path) -> None:
    result = run("bot", str(tmp_path), "--url", NOWHERE)
    assert (result.exit_code, result.stderr) == (
        1,
        f"Error: Cannot read {tmp_path}: {os.strerror(errno.EISDIR)}.\n",
    )


def test_values_of_before_are_told_as_they_are_written() -> None:
    change = {"setting": "services.gateway_timeout_s", "before": None, "after": True}
    version = {"version": 1, "changed_at": "now", "changed_by": "Ana", "comment": ""}
    with service_in_a_thread() as service:
        answer = {"items": [{**version, "changes": [change]}]}
        service.answers["GET", "/api/settings/history"] = (200, answer)
        result = run("config", "history", "--url", service.url)
    assert "services.gateway_timeout_s: null → true" in result.stdout


def test_parts_are_shown_as_they_are_named_brackets_too() -> None:
    with service_in_a_thread() as service:
        part = {
            "name": "whisper",
            "status": "unhealthy",
            "url": "http://[fe80::1]:8000",
            "detail": "no [b]answer[/] [/x]",
        }
        service.answers["GET", "/api/health"] = (503, {"status": "unhealthy"})
        service.answers["GET", "/api/services"] = (200, {"services": {"whisper": part}})
        service.answers["GET", "/api/sessions"] = (200, {"items": []})
        result = run("status", "--url", service.url, COLUMNS="120")
    assert result.exit_code == 0, result.exception
    assert part["url"] in result.stdout
    assert part["detail"] in result.stdout


def test_a_file_whose_name_is_no_utf_8_is_played(tmp_path: Path) -> None:
    meeting = tmp_path / f"{LATIN_1}.flac"
    meeting.write_bytes(READING.read_bytes())
    with service_in_a_thread() as service:
        service.answers["POST", "/api/sessions"] = (201, {"session_id": "s1"})
        result = run("bot", str(meeting), "--speed", "0", "--url", service.url)
    assert result.exit_code == 0, result.output
    assert service.requests[0][2] == {"title": "caf\N{REPLACEMENT CHARACTER}.flac"}


@pytest.mark.parametrize("command", ["watch", "export"])
def test_a_session_that_is_no_utf_8_is_one_sentence(command: str) -> None:
    result = run(command, LATIN_1, "--url", NOWHERE)
    assert result.exit_code == 1
    assert result.stderr == "Error: 'caf\\udce9' is not text in UTF-8.\n"


@pytest.mark.parametrize("name", ["", " \t"])
def test_a_participant_without_a_name_is_refused(name: str) -> None:
    result = run("bot", str(READING), "--name", name, "--url", NOWHERE)
    assert (result.exit_code, result.stderr) == (1, "Error: A --name is empty.\n")


@pytest.mark.parametrize(
    "text",
    [
        '[{"event": "start", "participant_id": "p-1", "name": null, "sample": 0}]',
        '[{"event": "start", "participant_id": null, "name": "Ana", "sample": 0}]',
        '[{"event": "start", "participant_id": "p-1", "name": "Ana", "sample": 1e999}]',
        '[{"event": "start", "participant_id": "p-1", "name": "Ana", "sample": -1}]',
        '[{"event": "start", "participant_id": "p-1", "name": "Ana", "sample": "soon"}]',
        "[" * 100_000,
        "{}",
        "null",
    ],
)
def test_a_file_of_something_else_than_speaker_events_is_one_sentence(
    tmp_path: Path, text: str
) -> None:
    file = tmp_path / "speakers.json"
    file.write_text(text)
    with pytest.raises(UnreadableFile, match="is not a list of speaker events"):
        load_speaker_events(file)


def test_speaker_events_of_windows_are_read_and_put_in_order(tmp_path: Path) -> None:
    events = [
        {"event": event, "participant_id": "p-1", "name": "李", "sample": sample}
        for event, sample in (("stop", 900), ("start", 100))
    ]
    file = tmp_path / "speakers.json"
    file.write_bytes(json.dumps(events, indent=1).replace("\n", "\r\n").encode("utf-8-sig"))
    assert [(one.event, one.name) for one in load_speaker_events(file)] == [
        ("start", "李"),
        ("stop", "李"),
    ]


def test_an_export_leaves_a_private_file_private(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    path.touch(0o600)
    path.chmod(0o600)
    with service_in_a_thread() as service:
        service.answers["GET", "/api/sessions/s1/transcript"] = (200, "Ana: Now.\n")
        assert run("export", "s1", "-o", str(path), "--url", service.url).exit_code == 0
    assert (path.stat().st_mode & 0o777, path.read_text()) == (0o600, "Ana: Now.\n")


def test_an_export_takes_the_longest_name_that_a_file_may_have(tmp_path: Path) -> None:
    path = tmp_path / f"{'a' * 251}.srt"
    with service_in_a_thread() as service:
        service.answers["GET", "/api/sessions/s1/transcript"] = (200, "Ana: Now.\n")
        result = run("export", "s1", "-o", str(path), "--url", service.url)
    assert (result.exit_code, result.stderr) == (0, "")
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_an_output_that_has_no_room_is_one_sentence() -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "orchestration", "config", "show"],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            text=True,
        )
    assert done.returncode == 1
    assert done.stderr == f"Error: The output cannot be written: {os.strerror(errno.ENOSPC)}.\n"


def test_a_reader_that_has_seen_enough_ends_the_output_quietly() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "orchestration", "config", "show"],
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.parametrize("port", [" 3001", "3001\r"])
def test_a_port_with_white_space_around_it_is_the_one_that_the_service_takes(
    monkeypatch: pytest.MonkeyPatch, port: str
) -> None:
    monkeypatch.setenv("PORT", port)
    monkeypatch.setenv("HOST", "127.0.0.2\r")
    assert default_url() == "http://127.0.0.2:3001"


def test_a_password_in_the_url_is_not_told() -> None:
    result = run("status", "--url", "http://ana:hunter2@127.0.0.1:1")
    assert result.exit_code == 1
    assert "hunter2" not in result.output
    assert "answers at http://127.0.0.1:1:" in result.stderr


def test_a_key_and_a_user_in_the_url_are_not_both_sent() -> None:
    url = "http://ana:hunter2@127.0.0.1:1"
    result = run("status", "--url", url, ORCHESTRATION_API_KEY="a key of the service")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: A request has room for a key or for the user of a URL")
    assert "hunter2" not in result.output


@pytest.mark.parametrize(("key", "hints"), [("", 1), ("another key", 0)])
def test_a_socket_that_is_refused_for_its_key_does_not_ask_for_one_that_is_there(
    key: str, hints: int
) -> None:
    with service_in_a_thread() as service:
        service.refusal = 401
        result = run("watch", "s1", "--url", service.url, ORCHESTRATION_API_KEY=key)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: The service wants its key, and got none or another.\n")
    assert result.stderr.count("ORCHESTRATION_API_KEY") == hints
