"""A known meeting through a real session: audio frames, a platform's facts, an engine's answers.

Time is simulated, so that a meeting takes about a second, and the same every time. The engine takes
`ANSWER_MS` for each chunk.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeAlias

from orchestration.audio.pcm import PcmFormat
from orchestration.services.ports import Hypothesis
from orchestration.session.events import DurableEvent
from orchestration.session.inputs import AudioFrame, EndOfStreams, Fact, StreamSpec
from orchestration.session.session import Session, SessionStep
from orchestration.session.status import TERMINAL
from orchestration.session.transcription import TranscribeOrder
from orchestration.session.values import ChunkingValues, SessionValues
from orchestration.storage.journal_ports import Claim
from orchestration.storage.values import SessionRow, SessionSpec
from orchestration.timing.units import NS_PER_MS
from tests.score.known_meetings import KnownMeeting
from tests.score.platform import STREAM, ZERO_UNIX_MS, Said

VALUES = SessionValues(chunking=ChunkingValues(early_end_ms=600))
"""The kept answers are to chunks without early ends: names do not depend on when a line is final,
and a chunk that is cut elsewhere would have to be heard anew."""

FRAME_MS = 100
ANSWER_MS = 1_200
"""What whisper base takes for a chunk on one core."""

PATIENCE_MS = 120_000
"""A session that is not over this long after its audio never will be."""

Answer: TypeAlias = Callable[[TranscribeOrder], Awaitable[Hypothesis]]


@dataclass(slots=True)
class ToldWord:
    """A final word as a viewer has it. `named_ms` is when it got its present name."""

    text: str
    start_s: float
    end_s: float
    first_name: str | None
    name: str | None
    told_ms: int
    named_ms: int


@dataclass(slots=True)
class Viewer:
    """What somebody who watches a session has on the screen."""

    by_segment: dict[str, list[ToldWord]] = field(default_factory=dict)

    def see(self, event: DurableEvent, now_ms: int) -> None:
        body: Any = event.body
        if event.type == "segment":
            self._segment(body["segment"], now_ms)
        elif event.type == "speaker":
            for one in body["segments"]:
                for word in self.by_segment[one["segment_id"]]:
                    _rename(word, body["speaker"], now_ms)

    @property
    def words(self) -> list[ToldWord]:
        """All words by time."""
        words = [word for segment in self.by_segment.values() for word in segment]
        return sorted(words, key=lambda word: word.start_s)

    def _segment(self, segment: dict[str, Any], now_ms: int) -> None:
        if segment["segment_id"] in self.by_segment:
            for word in self.by_segment[segment["segment_id"]]:
                _rename(word, segment["speaker"], now_ms)
            return
        name = _name(segment["speaker"])
        self.by_segment[segment["segment_id"]] = [
            ToldWord(one["text"], one["start"], one["end"], name, name, now_ms, now_ms)
            for one in segment["words"]
        ]


@dataclass(slots=True)
class Played:
    """A meeting that was replayed."""

    words: Sequence[ToldWord]
    lag_ms: int
    """How late the session takes the platform to be, at the end."""


async def replay(
    meeting: KnownMeeting,
    facts: Sequence[Said],
    answer: Answer,
    *,
    keeps_words: bool = True,
    watch: Callable[[int], None] = lambda _sample: None,
) -> Played:
    """Play a meeting from beginning to end.

    Args:
        meeting: what is said.
        facts: what a platform says of it, by arrival.
        answer: the engine.
        keeps_words: whether there is a viewer; without, memory is the session's alone.
        watch: called after each frame with its end sample.

    Raises:
        RuntimeError: the session never ends.
    """
    player = _Player(meeting, facts, answer, keeps_words)
    frame = meeting.sample_rate * FRAME_MS // 1000
    for start in range(0, len(meeting.pcm), frame):
        end = min(start + frame, len(meeting.pcm))
        await player.play(start, end)
        watch(end)
    await player.end()
    lag_ns = player.session._people.correlator.lag_ns
    return Played(player.viewer.words, lag_ns // 1_000_000)


class _Player:
    def __init__(
        self, meeting: KnownMeeting, facts: Sequence[Said], answer: Answer, keeps_words: bool
    ) -> None:
        self.viewer = Viewer()
        self.session = Session(_claim(meeting), VALUES, 0)
        self.session.open_stream(StreamSpec(STREAM, PcmFormat("s16le", meeting.sample_rate, 1)))
        self.session.connected(0)
        self._meeting = meeting
        self._facts = facts
        self._answer = answer
        self._keeps_words = keeps_words
        self._next_fact = 0
        self._due: list[tuple[int, TranscribeOrder]] = []
        self._now_ms = 0
        self._seq = 0

    async def play(self, start: int, end: int) -> None:
        """Send the frame of these samples when it has been captured, and what was said by then."""
        self._now_ms = end * 1000 // self._meeting.sample_rate
        payload = self._meeting.pcm[start:end].astype("<i2").tobytes()
        self._send(*self._facts_before(end), AudioFrame(STREAM, self._seq, start, payload))
        self._seq += 1
        await self._pass()

    async def end(self) -> None:
        """A platform that is late speaks of the end after it; then wait for the last words."""
        facts = self._facts_before(None)
        self._send(*facts, EndOfStreams(((STREAM, self._seq - 1),), self._next_fact - 1))
        give_up_ms = self._now_ms + PATIENCE_MS
        while self.session.status not in TERMINAL:
            if self._now_ms > give_up_ms:
                raise RuntimeError(f"{self._meeting.name} is still {self.session.status}")
            self._now_ms += FRAME_MS
            await self._pass()

    def _facts_before(self, sample: int | None) -> list[Fact]:
        first = self._next_fact
        while self._next_fact < len(self._facts) and (
            sample is None or self._facts[self._next_fact].arrives < sample
        ):
            self._next_fact += 1
        return [one.fact for one in self._facts[first : self._next_fact]]

    def _send(self, *items: AudioFrame | Fact | EndOfStreams) -> None:
        received_ns = (ZERO_UNIX_MS + self._now_ms) * NS_PER_MS
        judgement = self.session.judge(items, [received_ns] * len(items))
        if judgement.error is not None:
            raise judgement.error
        self.session.accept(judgement, self._now_ms)

    async def _pass(self) -> None:
        self.session.tick(self._now_ms)
        self._take(self.session.drain(self._now_ms))
        while self._due and self._due[0][0] <= self._now_ms:
            order = self._due.pop(0)[1]
            hypothesis = await self._answer(order)
            self.session.transcribed(order.stream, order.chunk, hypothesis, self._now_ms)
            self._take(self.session.drain(self._now_ms))

    def _take(self, step: SessionStep) -> None:
        self._due += [(self._now_ms + ANSWER_MS, order) for order in step.transcribe]
        for event in step.changes.events if self._keeps_words else ():
            self.viewer.see(event, self._now_ms)


def _rename(word: ToldWord, speaker: dict[str, Any] | None, now_ms: int) -> None:
    name = _name(speaker)
    if name != word.name:
        word.name, word.named_ms = name, now_ms


def _name(speaker: dict[str, Any] | None) -> str | None:
    """A person's name; "Speaker A" is none."""
    return None if speaker is None or speaker["method"] == "fallback" else speaker["name"]


def _claim(meeting: KnownMeeting) -> Claim:
    row = SessionRow(
        spec=SessionSpec(meeting.name, language="en", target_languages=()),
        status="created",
        status_detail=None,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        ended_at=None,
        zero_unix_ms=None,
        actor_name="session-1",
        epoch=1,
    )
    return Claim(row, 1, (), 0, 0, {}, ())
