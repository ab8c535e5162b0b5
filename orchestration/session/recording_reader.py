"""A stretch of a stream's audio, as an engine takes it, from wherever it is held."""

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol

import numpy as np

from orchestration.audio.pcm import resample_for_engine
from orchestration.errors import NoRecording
from orchestration.session.inputs import StreamSpec
from orchestration.storage.flac import AudioRun


class RecordedAudio(Protocol):
    """The audio of a session's stream in order, from the run that holds sample `start` on."""

    def audio(self, session_id: str, stream: StreamSpec, start: int) -> AsyncIterator[AudioRun]: ...


class RecordingReader:
    """One session's recorded audio; capture gaps in it are silence."""

    def __init__(self, session_id: str, recorded: RecordedAudio) -> None:
        self._session_id = session_id
        self._recorded = recorded

    async def engine_audio(self, stream: StreamSpec, start: int, end: int) -> bytes:
        """Samples `start` to `end` as mono s16le at the engines' rate.

        Raises:
            NoRecording: nothing of it is held any more.
            Unavailable: it is held, but not within reach.
        """
        mono = np.zeros(end - start, np.int16)
        held = False
        async for run in self._recorded.audio(self._session_id, stream, start):
            if run.first_sample >= end:
                break
            run_end = run.first_sample + len(run.values)
            first, last = max(start, run.first_sample), min(end, run_end)
            if first < last:
                held = True
                part = run.values[first - run.first_sample : last - run.first_sample]
                mono[first - start : last - start] = part.mean(axis=1)
        if not held:
            raise NoRecording(
                f"Samples {start} to {end} of stream {stream.stream} are not held any more.",
                {"stream": stream.stream, "start": start, "end": end},
            )
        return await asyncio.to_thread(resample_for_engine, mono, stream.format.sample_rate)
