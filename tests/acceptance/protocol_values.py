"""What the tests of the protocol send, and how they end what they began."""

import numpy as np

from tests.acceptance.raw_client import Json, Samples, Service, Socket, end, frame

RATE = 16_000
FRAME = 1600
"""Samples in 100 ms."""
SILENCE = bytes(2 * FRAME)
MOMENT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


def noise(samples: int, channels: int = 1, seed: int = 1) -> Samples:
    """Faint noise, shape [samples, channels]: nobody takes it for speech."""
    drawn = np.random.default_rng(seed).integers(-200, 200, (samples, channels))
    return drawn.astype("<i2")


async def send_silence(socket: Socket, first_seq: int, last_seq: int) -> None:
    for seq in range(first_seq, last_seq + 1):
        await socket.send(frame(seq, seq * FRAME, SILENCE))


async def end_session(service: Service, session_id: str, last_seq: int, *streams: Json) -> Json:
    """End a session of one stream; its coverage."""
    async with service.ingest(session_id) as bot:
        await bot.greeted(*streams)
        await bot.say(end({0: last_seq}))
        return (await bot.ended())[0]


def fates(coverage: Json) -> int:
    return sum(int(coverage[fate]) for fate in ("transcribed", "silent", "pending", "lost"))
