"""Playing audio files as a bot: frames when their time has come, clock and speaker facts beside."""

import asyncio
import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import soundfile

from orchestration.audio.pcm import PcmFormat, to_s16
from orchestration.client.ingest import BotConnection
from orchestration.errors import UnreadableFile
from orchestration.session.inputs import (
    ClockFact,
    ParticipantRef,
    SampleMoment,
    SpeakerFact,
    StreamSpec,
)

FRAME_MS = 100
CLOCK_INTERVAL_MS = 5000
MIN_SAMPLE_RATE, MAX_SAMPLE_RATE = 8_000, 48_000
MAX_CHANNELS = 2


@dataclass(frozen=True, slots=True)
class SpeakerEvent:
    """Somebody starts or stops speaking at a sample of the file."""

    event: Literal["start", "stop"]
    participant_id: str
    name: str
    sample: int


def load_speaker_events(path: Path) -> tuple[SpeakerEvent, ...]:
    """The events of a JSON list of `{event, participant_id, name, sample}`, in order of sample.

    Raises:
        UnreadableFile: it cannot be read, or is something else.
    """
    try:
        # With the mark that Windows puts first, or without.
        events = _speaker_events(json.loads(path.read_text("utf-8-sig")))
    except OSError as trouble:
        raise UnreadableFile(f"Cannot read {path}: {trouble.strerror or trouble}.") from trouble
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as trouble:
        raise UnreadableFile(
            f"{path} is not a list of speaker events"
            " (each with event, participant_id, name and sample)."
        ) from trouble
    if any(one.event not in ("start", "stop") for one in events):
        raise UnreadableFile(f'{path} has a speaker event that is neither "start" nor "stop".')
    return tuple(sorted(events, key=lambda one: one.sample))


def _speaker_events(listed: Any) -> list[SpeakerEvent]:
    if not isinstance(listed, list):
        raise TypeError("no list")
    return [_speaker_event(one) for one in listed]


def _speaker_event(one: Any) -> SpeakerEvent:
    participant_id, name, sample = one["participant_id"], one["name"], int(one["sample"])
    if not isinstance(participant_id, str) or not isinstance(name, str) or sample < 0:
        raise ValueError(one)
    return SpeakerEvent(one["event"], participant_id, name, sample)


class AudioTrack:
    """A WAV, FLAC or other file that libsndfile reads, as s16le PCM at its own rate."""

    def __init__(
        self,
        stream: int,
        path: Path,
        participant: ParticipantRef | None = None,
        speaker_events: Sequence[SpeakerEvent] = (),
    ) -> None:
        try:
            path.open("rb").close()
            self._file = soundfile.SoundFile(os.fsencode(path))
        except OSError as trouble:
            raise UnreadableFile(f"Cannot read {path}: {trouble.strerror or trouble}.") from trouble
        # TypeError: a name that ends in .raw, for which libsndfile wants to be told a format.
        except (soundfile.SoundFileError, TypeError) as trouble:
            raise UnreadableFile(f"Cannot read {path}: it is not audio I know.") from trouble
        self.sample_rate: int = self._file.samplerate
        self.sample_count: int = self._file.frames
        channels: int = self._file.channels
        if not MIN_SAMPLE_RATE <= self.sample_rate <= MAX_SAMPLE_RATE or channels > MAX_CHANNELS:
            self.close()
            raise UnreadableFile(
                f"Cannot play {path}: it has {channels} channels at {self.sample_rate} Hz,"
                " and the service takes mono or stereo at 8 to 48 kHz."
            )
        self.spec = StreamSpec(stream, PcmFormat("s16le", self.sample_rate, channels), participant)
        self._path = path
        self.position = 0
        """Samples played."""
        self._events = list(speaker_events)
        self._next_clock = 0

    @property
    def finished(self) -> bool:
        return self.position >= self.sample_count

    def read_until(self, sample: int) -> bytes:
        """PCM from the position up to `sample`, less at the end of the file.

        Raises:
            UnreadableFile: the file is damaged.
        """
        try:
            # As floats: libsndfile does not scale float files to integers, and wraps loud Opus.
            block = self._file.read(max(0, sample - self.position), dtype="float32")
        except soundfile.SoundFileError as trouble:
            raise UnreadableFile(f"{self._path} is damaged.") from trouble
        self.position += len(block)
        if len(block) == 0:
            self.sample_count = self.position
        return to_s16(np.nan_to_num(block, posinf=0, neginf=0)).astype("<i2", copy=False).tobytes()

    def facts_until(self, sample: int, start_unix_ms: int) -> list[SpeakerFact | ClockFact]:
        """What a platform and a clock would have said by `sample`."""
        facts: list[SpeakerFact | ClockFact] = []
        while self._next_clock < sample:
            unix_ms = start_unix_ms + self._next_clock * 1000 // self.sample_rate
            facts.append(ClockFact(0, self.spec.stream, self._next_clock, unix_ms))
            self._next_clock += self.sample_rate * CLOCK_INTERVAL_MS // 1000
        while self._events and self._events[0].sample < sample:
            one = self._events.pop(0)
            at = SampleMoment(self.spec.stream, one.sample)
            facts.append(SpeakerFact(0, one.event, one.participant_id, one.name, at))
        return facts

    def close(self) -> None:
        self._file.close()


async def play(bot: BotConnection, tracks: Sequence[AudioTrack], *, speed: float = 1.0) -> None:
    """Feed all tracks from their beginning to their end.

    `speed` is times real time; 0 is as fast as the service takes it. Nothing is skipped while the
    service is away: the rest comes late. Clock facts count from the
    moment of the call at the files' own pace, as the clock of a real capture would.
    """
    start_unix_ms = time.time_ns() // 1_000_000
    start_s = asyncio.get_running_loop().time()
    frame = 0
    while not all(track.finished for track in tracks):
        frame += 1
        if speed > 0:
            # A frame exists when its last sample has been captured, not before.
            due_s = start_s + frame * FRAME_MS / 1000 / speed
            await asyncio.sleep(max(0.0, due_s - asyncio.get_running_loop().time()))
        for track in tracks:
            if track.finished:
                continue
            # A file can wait for a service that is away, whatever its pace.
            await bot.wait_for_room(track.spec.stream)
            end = frame * FRAME_MS * track.sample_rate // 1000
            payload = track.read_until(end)
            for fact in track.facts_until(track.position, start_unix_ms):
                bot.add_fact(fact)
            if payload:
                bot.add_audio(track.spec.stream, payload)
    for track in tracks:
        # A stop on the very last sample comes after the audio.
        for fact in track.facts_until(track.position + 1, start_unix_ms):
            if isinstance(fact, SpeakerFact):
                bot.add_fact(fact)
