"""Options and variables of the commands that cannot be, and where they look for a service."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from actors.cluster_folders import open_folders
from actors.cluster_ports import refuse_taken_port
from actors.process_guard import RUN_ID_VARIABLE
from orchestration.cli import main
from orchestration.commands.connection import default_url
from orchestration.errors import PortInUse


def run(*arguments: str, **environ: str) -> Result:
    return CliRunner().invoke(main, arguments, env={"ORCHESTRATION_API_KEY": "", **environ})


@contextmanager
def free_port() -> Iterator[int]:
    """A port that nobody listens on, and nobody gets meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def test_commands_speak_to_the_port_that_the_service_would_listen_on() -> None:
    with free_port() as port:
        assert f"No orchestration service answers at http://127.0.0.1:{port}:" in (
            run("status", PORT=str(port)).stderr
        )
    assert default_url() == "http://127.0.0.1:3000"


@pytest.mark.parametrize("port", ["", "0", "http", "99999"])
def test_a_port_that_none_could_listen_on_is_not_asked(
    monkeypatch: pytest.MonkeyPatch, port: str
) -> None:
    monkeypatch.setenv("PORT", port)
    assert default_url() == "http://127.0.0.1:3000"


@pytest.mark.parametrize(
    ("host", "asked"),
    [
        ("[::1]", "[::1]"),
        ("::1", "[::1]"),
        ("192.168.1.5", "192.168.1.5"),
        ("0.0.0.0", "127.0.0.1"),
        ("::", "127.0.0.1"),
        ("my-machine", "127.0.0.1"),
    ],
)
def test_commands_speak_to_the_address_that_the_service_would_listen_on(
    monkeypatch: pytest.MonkeyPatch, host: str, asked: str
) -> None:
    monkeypatch.setenv("HOST", host)
    assert default_url() == f"http://{asked}:3000"


@pytest.mark.parametrize(
    "url", ["http://", "http://[::1", "http://127.0.0.1:99999", f"http://{'a' * 300}"]
)
def test_a_url_that_cannot_be_read_is_one_sentence(url: str) -> None:
    result = run("status", "--url", url)
    assert result.exit_code == 2
    assert "has a host or port that none can have." in result.stderr


@pytest.mark.parametrize("speed", ["nan", "inf", "-1"])
def test_a_speed_at_which_audio_would_be_lost_is_refused(speed: str) -> None:
    result = run("bot", "meeting.wav", "--speed", speed)
    assert result.exit_code == 2
    assert "Invalid value for '--speed'" in result.stderr


def test_a_key_that_no_request_can_carry_is_one_sentence() -> None:
    result = run("status", ORCHESTRATION_API_KEY="a key from a file\n")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ORCHESTRATION_API_KEY has characters")


def test_an_output_of_few_characters_shows_the_others_by_number(tmp_path: Path) -> None:
    (tmp_path / "o.yaml").write_text("log_level: DEBUG")
    done = subprocess.run(
        [sys.executable, "-m", "orchestration", "config", "check", str(tmp_path / "o.yaml")],
        env={**os.environ, "PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        check=True,
    )
    assert b'log_level: "INFO" \\u2192 "DEBUG"' in done.stdout


def test_a_taken_port_is_told_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = run("up", "--port", str(port), ORCHESTRATION_DATA_DIR=str(tmp_path))
    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: Port {port} on 127.0.0.1 is taken: stop what listens there, or choose another"
        " port.\n"
    )


def test_a_port_that_a_killed_run_still_holds_is_left_to_the_start(tmp_path: Path) -> None:
    folders = open_folders(tmp_path)
    folders.begin_run("killed")
    folders.release()
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        with pytest.raises(PortInUse):
            refuse_taken_port("127.0.0.1", port, tmp_path)
        with subprocess.Popen(
            ["cat"], stdin=subprocess.PIPE, env={RUN_ID_VARIABLE: "killed", **os.environ}
        ) as left:
            refuse_taken_port("127.0.0.1", port, tmp_path)
            left.kill()
