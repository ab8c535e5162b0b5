"""A session under test: a meeting of tones and silences, heard by a scripted engine."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np

from orchestration.audio.pcm import PcmFormat
from orchestration.errors import EngineError
from orchestration.json_types import JsonObject
from orchestration.services.ports import Hypothesis, HypothesisSegment, HypothesisWord
from orchestration.session.events import DurableEvent, PassingEvent
from orchestration.session.inputs import (
    AudioFrame,
    EndOfStreams,
    Fact,
    ParticipantRef,
    StreamSpec,
)
from orchestration.session.intake import Judgement
from orchestration.session.session import Session, SessionStep
from orchestration.session.transcription import TranscribeOrder
from orchestration.session.values import SessionValues
from orchestration.storage.journal_ports import Claim
from orchestration.storage.values import SessionRow, SessionSpec, StreamRow
from orchestration.timing.units import NS_PER_MS
from orchestration.transcript.segments import Segment

RATE = 16_000
FRAME = RATE // 10
FORMAT = PcmFormat("s16le", RATE, 1)
ZERO_UNIX_MS = 1_700_000_000_000


def speech(frames: int) -> bytes:
    """Loud tones that the voice gate takes for speech; `frames` of 100 ms."""
    t = np.arange(frames * FRAME)
    wave = 9000 * np.sin(2 * np.pi * 220 * t / RATE) * (1 + 0.5 * np.sin(2 * np.pi * 5 * t / RATE))
    return wave.astype("<i2").tobytes()


def silence(frames: int) -> bytes:
    return bytes(2 * frames * FRAME)


def claim(
    *,
    targets: tuple[str, ...] = (),
    language: str | None = "en",
    streams: tuple[StreamRow, ...] = (),
    segment_counts: Mapping[int, int] | None = None,
    is_upload: bool = False,
) -> Claim:
    row = SessionRow(
        spec=SessionSpec("weekly", language=language, target_languages=targets),
        status="created",
        status_detail=None,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        ended_at=None,
        zero_unix_ms=None,
        actor_name="session-1",
        epoch=1,
    )
    return Claim(row, 1, streams, 0, 0, segment_counts or {}, is_upload=is_upload)


def words(*timed: tuple[str, int, int], language: str = "en") -> Hypothesis:
    """A credible answer: (text, start_ms, end_ms) within the chunk."""
    heard = tuple(HypothesisWord(text, start, end, 0.9) for text, start, end in timed)
    segments = (HypothesisSegment(heard, 0.01, -0.2, 1.2),) if heard else ()
    return Hypothesis(language, segments, "scripted")


@dataclass
class Meeting:
    """Drives a session and keeps what it says."""

    session: Session
    now_ms: int = 0
    events: list[DurableEvent] = field(default_factory=list)
    passing: list[PassingEvent] = field(default_factory=list)
    steps: list[SessionStep] = field(default_factory=list)
    orders: list[TranscribeOrder] = field(default_factory=list)
    stored: list[Segment] = field(default_factory=list)
    """Final segments as the journal has them, of earlier incarnations."""
    _seq: dict[int, int] = field(default_factory=dict)
    _sample: dict[int, int] = field(default_factory=dict)

    @classmethod
    def begun(
        cls,
        *,
        targets: tuple[str, ...] = (),
        participant: ParticipantRef | None = None,
        values: SessionValues | None = None,
    ) -> "Meeting":
        meeting = cls(Session(claim(targets=targets), values or SessionValues(), 0))
        meeting.open(0, participant)
        meeting.session.connected(0)
        return meeting

    def open(self, stream: int, participant: ParticipantRef | None = None) -> None:
        spec = StreamSpec(stream, FORMAT, participant)
        self.session.check_stream(spec)
        self.session.open_stream(spec)

    def send(
        self, *items: AudioFrame | Fact | EndOfStreams, received_unix_ms: int | None = None
    ) -> Judgement:
        arrived = ZERO_UNIX_MS + self.now_ms if received_unix_ms is None else received_unix_ms
        judgement = self.session.judge(items, [arrived * NS_PER_MS] * len(items))
        self.session.accept(judgement, self.now_ms)
        self.settle()
        return judgement

    def play(self, pcm: bytes, stream: int = 0) -> None:
        """Send PCM in frames of 100 ms, each as it would arrive in real time."""
        for at in range(0, len(pcm), 2 * FRAME):
            self.now_ms += 100
            payload = pcm[at : at + 2 * FRAME]
            seq, sample = self._seq.get(stream, 0), self._sample.get(stream, 0)
            self.send(AudioFrame(stream, seq, sample, payload))
            self._seq[stream] = seq + 1
            self._sample[stream] = sample + len(payload) // 2

    def resume(self, row: StreamRow) -> None:
        """Frames to come follow those that an earlier incarnation stored."""
        self._seq[row.spec.stream] = row.next_seq
        self._sample[row.spec.stream] = row.next_sample

    def skip(self, samples: int, stream: int = 0) -> None:
        """Capture misses samples."""
        self._sample[stream] = self._sample.get(stream, 0) + samples

    def end(self, stream: int = 0, last_fact: int = -1) -> None:
        self.send(EndOfStreams(((stream, self._seq.get(stream, 0) - 1),), last_fact))

    def answer(self, hypothesis: Hypothesis) -> TranscribeOrder:
        """The engine answers the oldest chunk it was sent."""
        order = self.orders.pop(0)
        self.session.transcribed(order.stream, order.chunk, hypothesis, self.now_ms)
        self.settle()
        return order

    def fail(self, error: EngineError | None = None) -> TranscribeOrder:
        order = self.orders.pop(0)
        error = error or EngineError("no answer")
        self.session.transcription_failed(order.stream, order.chunk, error, self.now_ms)
        self.settle()
        return order

    def wait(self, ms: int) -> None:
        """Let time pass without audio."""
        self.now_ms += ms
        self.session.tick(self.now_ms)
        self.settle()

    def settle(self) -> None:
        renamed = self.session.renames.begin(self.now_ms)
        if renamed:
            of_them = [
                one for one in self.stored if one.speaker and one.speaker.speaker_id in renamed
            ]
            self.session.rename_stored(of_them)
            self.session.renames.end((), self.now_ms)
        step = self.session.drain(self.now_ms)
        self.steps.append(step)
        self.events.extend(step.changes.events)
        self.passing.extend(step.passing)
        self.orders.extend(step.transcribe)

    def status(self) -> str:
        return self.session.status

    def told(self, kind: str) -> list[JsonObject]:
        """Bodies of the durable events of a kind."""
        return [event.body for event in self.events if event.type == kind]

    def lines(self) -> list[tuple[str | None, str]]:
        """(speaker name, text) of the final segments."""
        lines = []
        for step in self.steps:
            for segment in step.changes.segments:
                lines.append((segment.speaker.name if segment.speaker else None, segment.text))
        return lines

    def fates(self, stream: int = 0) -> tuple[int, int, int, int, int]:
        """Duration, transcribed, silent, pending, lost; in samples."""
        totals = self.session.pipelines[stream].coverage.totals()
        return totals.duration, totals.transcribed, totals.silent, totals.pending, totals.lost
