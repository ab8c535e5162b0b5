"""A thousand seams of coded audio through a stream's pipeline: words lost and doubled.

No service, no clock: frames go in, chunks come out and are heard, as fast as the machine can. How
chunks are cut, how long frames are and how late answers come are drawn anew for each meeting.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from orchestration.audio.chunker import Chunk
from orchestration.audio.pcm import PcmFormat, resample_for_engine
from orchestration.session.ingest_ledger import content_hash
from orchestration.session.inputs import StreamSpec
from orchestration.session.stream_pipeline import Heard, StreamPipeline
from orchestration.session.values import ChunkingValues, SessionValues
from orchestration.storage.values import JournalFrame
from orchestration.transcript.words import Word
from tests.chaos.coded_audio import coded_meeting
from tests.chaos.coded_hearing import CodedHearing, Fragments
from tests.chaos.figures import WordFigures, compare_words

MEETING_MS = 120_000
SAMPLE_RATES = (8_000, 16_000, 24_000, 44_100, 48_000)
FRAME_MS = (20, 60, 100, 200)
GUARD_MS = 800
UTTERANCE_WORDS = (8, 56)
"""4 to 28 s: several seams in most utterances."""
DEFAULT_CUTTING = ChunkingValues()

Disturbance = Literal["none", "stalls", "restarts", "forced", "settings"]
"""What else happens: the audio stalls in the middle of speech and then goes on where it was; or
the session's actor dies after storing an answer and hears the journal from the frontier on; or
words that wait are made final before their time, as they are when an answer is long in coming; or
the settings of cutting and stitching change."""
DISTURBANCE_MS = 10_000
"""Of audio between two of them, on average."""


@dataclass(frozen=True, slots=True)
class MeetingConditions:
    """What is drawn for one meeting."""

    seed: int
    sample_rate: int
    frame_ms: int
    chunking: ChunkingValues
    latency_ms: tuple[int, int]
    """Least and most audio that comes while a chunk is with the engine."""
    hearing: CodedHearing
    disturbance: Disturbance = "none"


@dataclass(slots=True)
class SeamFigures:
    """Sums over all meetings; a seam is where a chunk ends and the next one overlaps it."""

    seams: int = 0
    words: int = 0
    missing: int = 0
    doubled: int = 0
    foreign: int = 0
    misplaced: int = 0
    pending_samples: int = 0
    failures: list[tuple[MeetingConditions, WordFigures]] = field(default_factory=list)

    def add(self, conditions: MeetingConditions, seams: int, words: int, of: WordFigures) -> None:
        self.seams += seams
        self.words += words
        self.missing += len(of.missing)
        self.doubled += len(of.doubled)
        self.foreign += len(of.foreign)
        self.misplaced += of.misplaced
        if not of.is_right:
            self.failures.append((conditions, of))


def run_seams(
    seams: int,
    *,
    seed: int = 0,
    fragments: Fragments = "garbled",
    jitter_ms: int = 80,
    disturbance: Disturbance = "none",
) -> SeamFigures:
    """Play meetings until at least `seams` seams have been stitched."""
    figures = SeamFigures()
    while figures.seams < seams:
        hearing = CodedHearing(seed, jitter_ms, fragments)
        conditions = draw_conditions(seed, hearing, disturbance)
        played = PlayedMeeting(conditions)
        played.play()
        said = [word.word_id for word in played.meeting.words]
        figures.add(conditions, played.seams, len(said), compare_words(said, played.written))
        figures.pending_samples += played.pipeline.coverage.totals().pending
        seed += 1
    return figures


def draw_conditions(
    seed: int, hearing: CodedHearing, disturbance: Disturbance
) -> MeetingConditions:
    """The conditions of the meeting number `seed`."""
    rng = random.Random(seed)
    overlap_ms = rng.randint(GUARD_MS + 1000, 3000)
    chunk_ms = rng.randint(overlap_ms + 1000, overlap_ms + 6000)
    is_default = rng.random() < 0.5
    cutting = ChunkingValues(chunk_ms=chunk_ms, overlap_ms=overlap_ms, guard_ms=GUARD_MS)
    return MeetingConditions(
        seed=seed,
        sample_rate=rng.choice(SAMPLE_RATES),
        frame_ms=rng.choice(FRAME_MS),
        chunking=DEFAULT_CUTTING if is_default else cutting,
        latency_ms=rng.choice(((0, 0), (200, 1500), (1000, 8000))),
        hearing=hearing,
        disturbance=disturbance,
    )


def draw_chunking(rng: random.Random) -> ChunkingValues:
    """Any cutting that the settings allow."""
    guard_ms = rng.randint(500, 2000)
    overlap_ms = rng.randint(guard_ms + 1000, 10_000)
    chunk_ms = rng.randint(max(1000, overlap_ms + 500), 28_000)
    return ChunkingValues(
        chunk_ms=chunk_ms,
        overlap_ms=overlap_ms,
        guard_ms=guard_ms,
        pause_search_ms=rng.randint(0, 3000),
        max_chunk_ms=rng.randint(chunk_ms, 28_000),
        end_of_speech_ms=rng.randint(300, 5000),
        early_end_ms=rng.randint(100, 1000),
        speech_margin_ms=rng.randint(100, 2000),
        voice_mode=rng.randint(0, 3),
    )


class PlayedMeeting:
    """One meeting on its way through a pipeline."""

    def __init__(self, conditions: MeetingConditions) -> None:
        self._conditions = conditions
        self._rng = random.Random(conditions.seed + 1)
        rate = conditions.sample_rate
        self.meeting = coded_meeting(
            self._rng, MEETING_MS, sample_rate=rate, utterance_words=UTTERANCE_WORDS
        )
        self._values = SessionValues(chunking=conditions.chunking)
        self._spec = StreamSpec(0, PcmFormat("s16le", rate, 1), None)
        self.pipeline = StreamPipeline(self._spec, self._values)
        self.seams = 0
        self._committed: list[Word] = []
        self._journal: list[JournalFrame] = []
        self._under_way: Chunk | None = None
        self._due_sample = 0

    @property
    def written(self) -> list[str]:
        """The words of its final lines, in the order in which they became final."""
        return [word.text for word in self._committed]

    def play(self) -> None:
        """From the first frame to the last answer."""
        for frame in self._frames():
            self._journal.append(frame)
            self.pipeline.hear(frame)
            self._answer_what_is_due(frame.first_sample + frame.sample_count)
            if self._rng.randrange(DISTURBANCE_MS) < self._conditions.frame_ms:
                self._disturb()
        self.pipeline.end()
        while True:
            self._close()
            chunk = self._under_way or self.pipeline.next_chunk()
            if chunk is None:
                return
            self._answer(chunk)

    def _answer_what_is_due(self, heard_to: int) -> None:
        while True:
            self._close()
            if self._under_way is None:
                self._under_way = self.pipeline.next_chunk()
                latency_ms = self._rng.randint(*self._conditions.latency_ms)
                self._due_sample = heard_to + latency_ms * self._conditions.sample_rate // 1000
            if self._under_way is None or heard_to < self._due_sample:
                return
            self._answer(self._under_way)

    def _close(self) -> None:
        heard = self.pipeline.close_utterance(nobody)
        if heard is not None:
            self._write(heard)

    def _disturb(self) -> None:
        match self._conditions.disturbance:
            case "stalls":
                self.pipeline.stall(even_in_speech=False)
            case "restarts":
                stored, lost = self.pipeline.progress(None), self.pipeline.coverage.lost_ranges
                self.pipeline = StreamPipeline(
                    self._spec, self._values, stored, lost, self._committed
                )
                self._under_way = None
                heard_from = self.pipeline.needed_from
                for frame in self._journal:
                    if frame.first_sample + frame.sample_count > heard_from:
                        self.pipeline.hear(frame)
            case "forced":
                self._write(self.pipeline.force_commit(nobody))
            case "settings":
                self.pipeline.apply(SessionValues(chunking=draw_chunking(self._rng)))
            case "none":
                pass

    def _frames(self) -> Iterator[JournalFrame]:
        size = self._conditions.frame_ms * self.meeting.sample_rate // 1000
        for seq, first in enumerate(range(0, len(self.meeting.samples), size)):
            payload = self.meeting.samples[first : first + size].astype("<i2").tobytes()
            digest = content_hash(first, payload)
            yield JournalFrame(0, seq, first, len(payload) // 2, digest, payload)

    def _answer(self, chunk: Chunk) -> None:
        self._under_way = None
        self.seams += not chunk.is_final
        samples = self.pipeline.audio_of(chunk)
        assert samples is not None
        audio = np.frombuffer(resample_for_engine(samples, self.meeting.sample_rate), "<i2")
        hypothesis = self._conditions.hearing.hypothesis(audio)
        self._write(self.pipeline.answered(chunk, hypothesis, nobody))

    def _write(self, heard: Heard) -> None:
        self._committed += [word.word for line in heard.lines for word in line.words]


def nobody(words: Sequence[Word]) -> Sequence[None]:
    """Whose word it is does not matter here."""
    return [None] * len(words)
