"""Streams of audio over the ingest protocol, as cheaply as Python sends them.

One connection and one stream for each session. In real time a frame leaves every 100 ms, the
connections spread evenly over them; at full speed as the service's window lets it.
"""

import asyncio
import json
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TypedDict

import aiohttp

from orchestration.client.wire import frame_bytes
from tests.benchmarks.load_process import Stopwatch, await_go, hand_in, run_generator

FRAME_S = 0.1
FRAME_SAMPLES = 1600
FRAME_BYTES = 2 * FRAME_SAMPLES
TAIL_S = 30.0
"""For the last acks."""
HELLO = {
    "type": "hello",
    "protocol": 1,
    "streams": [{"id": 0, "encoding": "s16le", "sample_rate": 16_000, "channels": 1}],
}


class IngestOrder(TypedDict):
    """What to send. `audio` is a file of PCM, which is repeated; `frames` are of each session."""

    url: str
    sessions: list[str]
    audio: str
    frames: int
    real_time: bool
    limit_s: float


def frame_payload(audio: bytes, seq: int) -> bytes:
    """What frame `seq` carries."""
    at = seq % (len(audio) // FRAME_BYTES) * FRAME_BYTES
    return audio[at : at + FRAME_BYTES]


@dataclass
class Sender:
    """One session's connection; `unacked` are the moments at which its frames were sent."""

    socket: aiohttp.ClientWebSocketResponse
    first_seq: int
    next_sample: int
    window: int
    stopwatch: Stopwatch
    unacked: deque[float] = field(default_factory=deque)
    upto: int = -1
    has_room: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, seq: int, payload: bytes) -> None:
        while len(self.unacked) >= self.window:
            self.has_room.clear()
            await self.has_room.wait()
        frame = frame_bytes(0, seq, self.next_sample, payload)
        self.next_sample += FRAME_SAMPLES
        self.unacked.append(time.perf_counter())
        self.stopwatch.frames_sent += 1
        await self.socket.send_bytes(frame)

    async def speak(self, audio: bytes, frames: int, begin_s: float | None) -> None:
        """Send so many frames; in real time from `begin_s` on."""
        for number in range(frames):
            if begin_s is not None:
                due_s = begin_s + number * FRAME_S
                if due_s > time.perf_counter():
                    await asyncio.sleep(due_s - time.perf_counter())
                self.stopwatch.lateness_s.append(max(0.0, time.perf_counter() - due_s))
            seq = self.first_seq + number
            await self.send(seq, frame_payload(audio, seq))

    async def hear(self, last_seq: int) -> None:
        """Take acks until that of the last frame."""
        while self.upto < last_seq:
            message = json.loads(await self.socket.receive_str())
            if message["type"] != "ack":
                raise RuntimeError(f"the service said {message}")
            now_s = time.perf_counter()
            self.stopwatch.acks += 1
            for stream in message["streams"]:
                for _ in range(stream["upto"] - self.upto):
                    self.stopwatch.ack_latencies_s.append(now_s - self.unacked.popleft())
                self.upto, self.window = stream["upto"], stream["window"]
            self.has_room.set()


async def connect(
    client: aiohttp.ClientSession, order: IngestOrder, session_id: str, stopwatch: Stopwatch
) -> Sender:
    socket = await client.ws_connect(f"{order['url']}/ws/ingest/{session_id}")
    await socket.send_str(json.dumps(HELLO))
    welcome = await socket.receive_json()
    if welcome["type"] != "welcome":
        raise RuntimeError(f"the service said {welcome}")
    stream = welcome["streams"][0]
    seq = stream["next_seq"]
    sender = Sender(socket, seq, stream["next_sample"], stream["window"], stopwatch)
    sender.upto = seq - 1
    return sender


async def send_all(order: IngestOrder, senders: list[Sender], audio: bytes) -> None:
    """Everything there and acked, or the time over."""
    began_s = time.perf_counter()
    frames = order["frames"]
    work = []
    for number, sender in enumerate(senders):
        phase_s = began_s + FRAME_S * number / len(senders)
        work.append(sender.speak(audio, frames, phase_s if order["real_time"] else None))
        work.append(sender.hear(sender.first_seq + frames - 1))
    try:
        async with asyncio.timeout(order["limit_s"]):
            await asyncio.gather(*work)
    except TimeoutError:
        print("not all frames were acked in time", file=sys.stderr)


async def generate(order: IngestOrder, audio: bytes) -> None:
    stopwatch = Stopwatch()
    connector = aiohttp.TCPConnector(limit=len(order["sessions"]))
    async with aiohttp.ClientSession(connector=connector) as client:
        senders = [await connect(client, order, one, stopwatch) for one in order["sessions"]]
        await await_go()
        stopwatch.start()
        await send_all(order, senders, audio)
        ranges = {
            session_id: (sender.first_seq, sender.upto)
            for session_id, sender in zip(order["sessions"], senders, strict=True)
        }
        await hand_in(stopwatch.report(ranges))


if __name__ == "__main__":
    run_generator(generate, sys.argv[1:])
