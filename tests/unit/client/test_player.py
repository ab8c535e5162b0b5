"""Files that are played as a bot would send them."""

import asyncio
from pathlib import Path

import numpy as np
import soundfile

from orchestration.client.api import OrchestrationClient
from orchestration.client.ingest import BotConnection
from orchestration.client.outbox import HELD_AUDIO_S
from orchestration.client.player import FRAME_MS, AudioTrack, play

RATE = 8_000
DURATION_S = HELD_AUDIO_S + 20


async def test_a_file_waits_for_a_service_that_is_away_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    soundfile.write(path, np.zeros(DURATION_S * RATE, "int16"), RATE)
    track = AudioTrack(0, path)
    bot = BotConnection(OrchestrationClient("http://127.0.0.1:1"), "s1", [track.spec])
    playing = asyncio.create_task(play(bot, [track], speed=1e9))
    for _ in range(2 * DURATION_S * 1000 // FRAME_MS):
        await asyncio.sleep(0)
    assert not playing.done()
    assert bot.protocol.streams[0].skipped_samples == 0
    playing.cancel()
    await asyncio.gather(playing, return_exceptions=True)
    track.close()
