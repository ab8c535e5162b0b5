"""The launcher with a real HAProxy: a killed one has a stand-in, an ended one has none."""

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import psutil
import pytest

from actors import haproxy_launcher
from actors.cluster_environment import haproxy_binary
from actors.cluster_ports import is_free
from actors.haproxy_launcher import (
    BINARY_VARIABLE,
    FRONTEND_VARIABLE,
    HEADER_TIMEOUT_S,
    closed_configuration,
    orphans,
    stand_in_for,
)
from tests.service import free_port

LIMIT_S = 60.0
CONFIGURATION = """
global
    stats socket {folder}/a.sock level admin
defaults
    mode http
    timeout client 10s
    timeout server 10s
    timeout connect 1s
frontend f
    bind 127.0.0.1:{port}
    http-request return status 200 content-type text/plain lf-string "%[req.hdrs]"
"""
MANAGER = """
import subprocess, sys
haproxy = subprocess.Popen([sys.executable, "-IS", *sys.argv[1:]])
print(haproxy.pid, flush=True)
for _ in sys.stdin:
    haproxy.kill()
    haproxy.wait()
    print("killed", flush=True)
"""
"""Kills its HAProxy whenever it is told to; stays until its input ends."""


def launcher_arguments(configuration: Path) -> list[str]:
    return [haproxy_launcher.__file__, "-db", "-f", str(configuration)]


def launcher_environment(port: int) -> dict[str, str]:
    return {
        **os.environ,
        BINARY_VARIABLE: str(haproxy_binary()),
        FRONTEND_VARIABLE: f"127.0.0.1:{port}",
    }


class Managed:
    """An HAProxy under a manager of its own, as Serve has one."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.configuration = folder / "haproxy.cfg"
        self.configuration.write_text(CONFIGURATION.format(folder=folder, port=self.port))
        self.manager = subprocess.Popen(
            [
                *(sys.executable, "-c", MANAGER),
                *launcher_arguments(self.configuration),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=launcher_environment(self.port),
        )
        assert self.manager.stdout is not None
        self.process_id = int(self.manager.stdout.readline())
        self.until_serving()

    def serves(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/") as answer:
                return int(answer.status) == 200
        except (urllib.error.URLError, ConnectionError):
            return False

    def answer(self, path: str, **headers: str) -> tuple[int, str]:
        """Status and body; a request that gets through is answered with its own headers."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=headers)
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, answer.read().decode().lower()
        except urllib.error.HTTPError as refusal:
            return refusal.code, ""

    def until_serving(self) -> None:
        until(self.serves)

    def kill_haproxy(self) -> None:
        assert self.manager.stdin is not None
        assert self.manager.stdout is not None
        print("kill", file=self.manager.stdin, flush=True)
        assert self.manager.stdout.readline() == "killed\n"

    def watchers(self) -> list[psutil.Process]:
        """The launchers that wait for an HAProxy's end."""
        return [
            process
            for process in psutil.process_iter(["cmdline"])
            if haproxy_launcher.__file__ in (process.info["cmdline"] or ())
            and str(self.configuration) in process.info["cmdline"]
            and process.pid != self.manager.pid
        ]

    def watch(self) -> None:
        """Watch over the HAProxy as its launcher does, until there is nothing more to watch for."""
        stand_in_for(self.process_id, self.manager.pid, self.configuration)

    def clean_up(self) -> None:
        self.manager.kill()
        self.kill_orphans()
        # Its output ends with the last HAProxy that has it.
        self.manager.communicate()
        for process in self.watchers():
            process.kill()
        self.kill_orphans()

    def kill_orphans(self) -> None:
        for process_id in orphans(self.configuration):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process_id, 9)


def until(done: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + LIMIT_S
    while not done():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


@pytest.fixture
def managed(tmp_path: Path) -> Iterator[Managed]:
    started = Managed(tmp_path)
    try:
        yield started
    finally:
        started.clean_up()


@pytest.mark.parametrize("path", ["/-/routes", "/%2D/route%73", "/-/ROUTES"])
def test_nobody_lists_the_routes_however_they_ask(managed: Managed, path: str) -> None:
    assert managed.answer(path) == (404, "")
    assert managed.answer("/api/health")[0] == 200


def test_a_header_that_does_not_come_keeps_no_connection(tmp_path: Path) -> None:
    port = free_port()
    written = closed_configuration(
        CONFIGURATION.format(folder=tmp_path, port=port), f"127.0.0.1:{port}"
    )
    own = f"timeout http-request {HEADER_TIMEOUT_S}s"
    assert own in written
    configuration = tmp_path / "haproxy.cfg"
    configuration.write_text(written.replace(own, "timeout http-request 50ms"))
    with subprocess.Popen([haproxy_binary(), "-db", "-f", str(configuration)]) as haproxy:
        try:
            until(lambda: not is_free("127.0.0.1", port))
            with socket.create_connection(("127.0.0.1", port), LIMIT_S) as slow:
                slow.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n")
                assert slow.recv(1000).startswith(b"HTTP/1.1 408 ")
            with socket.create_connection(("127.0.0.1", port), LIMIT_S) as silent:
                assert silent.recv(1000) == b""
        finally:
            haproxy.kill()


def test_no_socket_is_compressed(managed: Managed) -> None:
    offer = {"Sec-WebSocket-Extensions": "permessage-deflate", "Sec-WebSocket-Version": "13"}
    status, passed = managed.answer("/ws/live/s1", **offer)
    assert status == 200
    assert "sec-websocket-version: 13" in passed
    assert "permessage-deflate" not in passed


def test_a_stand_in_serves_for_an_haproxy_that_was_killed(managed: Managed) -> None:
    managed.kill_haproxy()
    managed.until_serving()
    assert managed.process_id not in orphans(managed.configuration)


def test_the_successor_takes_over_from_the_stand_in(managed: Managed) -> None:
    managed.kill_haproxy()
    managed.until_serving()
    [stand_in] = orphans(managed.configuration)
    until(lambda: not managed.watchers())
    restarted = subprocess.Popen(
        [sys.executable, "-IS", *launcher_arguments(managed.configuration)],
        env=launcher_environment(managed.port),
    )
    until(lambda: orphans(managed.configuration) == [restarted.pid])
    assert stand_in != restarted.pid
    managed.until_serving()
    restarted.kill()
    restarted.wait()


def test_none_stands_in_where_the_manager_ends_too(managed: Managed) -> None:
    managed.kill_haproxy()
    managed.manager.kill()
    managed.manager.communicate()
    until(lambda: not managed.watchers())
    until(lambda: not orphans(managed.configuration))
    assert not managed.serves()


def test_one_that_nobody_takes_over_ends(managed: Managed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(haproxy_launcher, "TAKEN_OVER_WITHIN_S", 0.1)
    watched = Thread(target=managed.watch)
    watched.start()
    managed.manager.kill()
    managed.manager.wait()
    watched.join(LIMIT_S)
    until(lambda: not orphans(managed.configuration))


def test_one_that_its_successor_takes_over_is_left_to_it(
    managed: Managed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(haproxy_launcher, "TAKEN_OVER_WITHIN_S", 1.0)
    watched = Thread(target=managed.watch)
    watched.start()
    managed.manager.kill()
    managed.manager.wait()
    successor = subprocess.Popen(
        [sys.executable, "-IS", *launcher_arguments(managed.configuration)],
        env=launcher_environment(managed.port),
    )
    watched.join(LIMIT_S)
    until(lambda: orphans(managed.configuration) == [successor.pid])
    managed.until_serving()
    successor.kill()
    successor.wait()
