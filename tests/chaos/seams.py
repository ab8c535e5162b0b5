"""A thousand seams of coded audio through a stream's pipeline: words lost and doubled.

No service, no clock: frames go in, chunks come out and are heard, as fast as the machine can. How
chunks are cut, how long frames are and how late answers come are drawn anew for each meeting.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from orchestration.audio.chunker import Chunk
from orchestration.audio.pcm import PcmFormat, resample_for_engine
from orchestration.session.ingest_ledger import content_hash
from orchestration.session.inputs import StreamSpec
from orchestration.session.stream_pipeline import Heard, StreamPipeline
from orchestration.session.values import ChunkingValues, SessionValues
from orchestration.storage.ports import JournalFrame
from tests.chaos.coded_audio import CodedMeeting, coded_meeting
from tests.chaos.coded_hearing import CodedHearing, Fragments
from tests.chaos.figures import WordFigures, compare_words

MEETING_MS = 120_000
SAMPLE_RATES = (8_000, 16_000, 24_000, 44_100, 48_000)
FRAME_MS = (20, 60, 100, 200)
GUARD_MS = 800
UTTERANCE_WORDS = (8, 56)
"""4 to 28 s: several seams in most utterances."""
DEFAULT_CUTTING = ChunkingValues()


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
    seams: int, *, seed: int = 0, fragments: Fragments = "garbled", jitter_ms: int = 80
) -> SeamFigures:
    """Play meetings until at least `seams` seams have been stitched."""
    figures = SeamFigures()
    while figures.seams < seams:
        conditions = draw_conditions(seed, fragments, jitter_ms)
        meeting, pipeline, count, written = play_meeting(conditions)
        said = [word.word_id for word in meeting.words]
        figures.add(conditions, count, len(said), compare_words(said, written))
        figures.pending_samples += pipeline.coverage.totals().pending
        seed += 1
    return figures


def draw_conditions(seed: int, fragments: Fragments, jitter_ms: int) -> MeetingConditions:
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
        hearing=CodedHearing(seed, jitter_ms, fragments),
    )


def play_meeting(
    conditions: MeetingConditions,
) -> tuple[CodedMeeting, StreamPipeline, int, list[str]]:
    """The meeting, its pipeline at the end, its seams, and the words of its lines in order."""
    rng = random.Random(conditions.seed + 1)
    meeting = coded_meeting(
        rng,
        MEETING_MS,
        sample_rate=conditions.sample_rate,
        utterance_words=UTTERANCE_WORDS,
    )
    fmt = PcmFormat("s16le", conditions.sample_rate, 1)
    values = SessionValues(chunking=conditions.chunking)
    pipeline = StreamPipeline(StreamSpec(0, fmt, None), values)
    written: list[str] = []
    seams = 0
    due_sample = 0
    under_way: Chunk | None = None
    for frame in _frames(meeting, conditions.frame_ms):
        pipeline.hear(frame)
        heard_to = frame.first_sample + frame.sample_count
        while True:
            if under_way is None:
                under_way = pipeline.next_chunk()
                latency_ms = rng.randint(*conditions.latency_ms)
                due_sample = heard_to + latency_ms * conditions.sample_rate // 1000
            if under_way is None or heard_to < due_sample:
                break
            seams += not under_way.is_final
            written += _texts(_answer(pipeline, under_way, conditions))
            under_way = None
    pipeline.end()
    while (chunk := under_way or pipeline.next_chunk()) is not None:
        under_way = None
        seams += not chunk.is_final
        written += _texts(_answer(pipeline, chunk, conditions))
    return meeting, pipeline, seams, written


def _frames(meeting: CodedMeeting, frame_ms: int) -> Iterator[JournalFrame]:
    size = frame_ms * meeting.sample_rate // 1000
    for seq, first in enumerate(range(0, len(meeting.samples), size)):
        payload = meeting.samples[first : first + size].astype("<i2").tobytes()
        digest = content_hash(first, payload)
        yield JournalFrame(0, seq, first, len(payload) // 2, digest, payload)


def _answer(pipeline: StreamPipeline, chunk: Chunk, conditions: MeetingConditions) -> Heard:
    samples = pipeline.audio_of(chunk)
    assert samples is not None
    audio = np.frombuffer(resample_for_engine(samples, conditions.sample_rate), "<i2")
    hypothesis = conditions.hearing.hypothesis(audio)
    return pipeline.answered(chunk, hypothesis, lambda start, end: None)


def _texts(heard: Heard) -> list[str]:
    return [word.word.text for line in heard.lines for word in line.words]
