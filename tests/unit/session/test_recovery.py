"""A session whose actor dies at any moment goes on, and its transcript is the one it would be."""

import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.errors import FrameConflict
from orchestration.services.ports import Hypothesis
from orchestration.session.ingest_ledger import REMEMBERED_HASHES, content_hash
from orchestration.session.inputs import (
    AudioFrame,
    ClockFact,
    EndOfStreams,
    Fact,
    ParticipantFact,
    ParticipantRef,
    SampleMoment,
    SpeakerFact,
    StreamSpec,
)
from orchestration.session.intake import Judgement
from orchestration.session.recovery import recover
from orchestration.session.session import Session
from orchestration.session.transcription import TranscribeOrder
from orchestration.session.values import SessionValues
from orchestration.storage.journal_ports import Claim, SessionChanges
from orchestration.storage.values import JournalFact, JournalFrame, StreamProgress, StreamRow
from orchestration.timing.units import NS_PER_MS
from orchestration.transcript.coverage import stored_totals
from orchestration.transcript.segments import Segment
from tests.storage_values import stored_losses
from tests.unit.session.meeting import (
    FORMAT,
    FRAME,
    RATE,
    ZERO_UNIX_MS,
    Meeting,
    claim,
    silence,
    speech,
    words,
)

WORD_MS = 500
ZERO_UNIX_NS = ZERO_UNIX_MS * 1_000_000
SPEC = StreamSpec(0, FORMAT)
SHORT = RATE // 50
QUIET = silence(1)[: 2 * SHORT]


@dataclass
class Disk:
    """What survives an actor: the journal and the committed changes."""

    frames: list[JournalFrame] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    last_seq: int | None = None
    last_fact: int | None = None
    changes: list[SessionChanges] = field(default_factory=list)

    def claim(self, epoch: int) -> Claim:
        progress: StreamProgress | None = None
        status, zero_unix_ms, facts_told = claim().session.status, None, 0
        for one in self.changes:
            progress = one.streams[-1] if one.streams else progress
            status = one.status or status
            zero_unix_ms = one.zero_unix_ms or zero_unix_ms
            facts_told = one.facts_told or facts_told
        segments = self.segments()
        last = self.frames[-1] if self.frames else None
        row = StreamRow(
            SPEC,
            next_seq=last.seq + 1 if last else 0,
            next_sample=last.first_sample + last.sample_count if last else 0,
            last_seq=self.last_seq,
            progress=progress,
            lost=stored_losses(self.changes),
        )
        session = replace(claim().session, status=status, zero_unix_ms=zero_unix_ms, epoch=epoch)
        events = [event for one in self.changes for event in one.events]
        return Claim(
            session,
            epoch,
            (row,),
            last_event_seq=events[-1].seq if events else 0,
            next_fact=len(self.facts),
            last_fact=self.last_fact,
            segment_counts={0: len(segments)},
            recent_segments=segments[-3:],
            facts_told=facts_told,
        )

    def segments(self) -> list[Segment]:
        """Each segment at its last revision, in the order in which they became final."""
        newest: dict[str, Segment] = {}
        for one in self.changes:
            for segment in one.segments:
                assert segment.revision > getattr(newest.get(segment.segment_id), "revision", 0)
                newest[segment.segment_id] = segment
        return list(newest.values())


@dataclass
class Spoken:
    """Speech with known words: ids of half a second, in utterances with pauses between."""

    pcm: bytes
    times_ms: list[tuple[str, int]]

    @classmethod
    def random(cls, rng: random.Random) -> "Spoken":
        pcm, times = b"", []
        word = 0
        for _ in range(rng.randint(2, 4)):
            pcm += silence(rng.randint(10, 25))
            for _ in range(rng.randint(3, 22)):
                times.append((f"w{word}", len(pcm) * 1000 // (2 * RATE)))
                pcm += speech(WORD_MS // 100)
                word += 1
        return cls(pcm + silence(12), times)

    def heard(self, order: TranscribeOrder) -> Hypothesis:
        """What whisper says of a chunk: a word is heard when most of it is inside."""
        start, end = (sample * 1000 // RATE for sample in (order.chunk.start, order.chunk.end))
        return words(
            *(
                (text, max(0, at - start), min(end, at + WORD_MS) - start)
                for text, at in self.times_ms
                if min(end, at + WORD_MS) - max(start, at) >= 0.6 * WORD_MS
            )
        )


class Actor:
    """One incarnation, with an engine that answers some frames later."""

    def __init__(self, disk: Disk, spoken: Spoken, epoch: int) -> None:
        self._disk, self._spoken = disk, spoken
        self.session = Session(disk.claim(epoch), SessionValues(), 0)
        self._orders: list[TranscribeOrder] = []
        for fact in disk.facts:
            self.session.replay_fact(fact)
        pipeline = self.session.pipelines[0]
        for frame in disk.frames:
            if frame.first_sample + frame.sample_count > pipeline.needed_from:
                self.session.replay_frame(frame, ZERO_UNIX_NS)
        self.session.replayed(0)
        self.session.connected(0)
        self.step()

    def send(self, *items: AudioFrame | Fact | EndOfStreams) -> None:
        judgement = self.session.judge(items, [ZERO_UNIX_NS] * len(items))
        assert judgement.error is None
        self._disk.frames += judgement.frames
        self._disk.facts += judgement.facts
        self._disk.last_seq = judgement.last_seqs.get(0, self._disk.last_seq)
        if judgement.is_end:
            self._disk.last_fact = judgement.last_fact
        self.session.accept(judgement, 0)
        self.step()

    def answer(self) -> bool:
        if not self._orders:
            return False
        order = self._orders.pop(0)
        self.session.transcribed(0, order.chunk, self._spoken.heard(order), 0)
        self.step()
        return True

    def step(self) -> None:
        step = self.session.drain(0)
        self._orders += step.transcribe
        if not step.changes.is_empty():
            self._disk.changes.append(step.changes)


def hold(spoken: Spoken, rng: random.Random, *, deaths: float) -> Disk:
    """Play the meeting; at each frame the actor dies with this probability."""
    disk = Disk()
    epoch = 1
    actor = Actor(disk, spoken, epoch)
    frames = [spoken.pcm[at : at + 2 * FRAME] for at in range(0, len(spoken.pcm), 2 * FRAME)]
    facts = 0
    for seq, payload in enumerate(frames):
        items: list[AudioFrame | Fact] = [AudioFrame(0, seq, seq * FRAME, payload)]
        if seq % 40 == 0:
            at = SampleMoment(0, seq * FRAME)
            who = ParticipantRef(f"p{seq}", f"Person {seq}")
            items.append(ClockFact(facts, 0, seq * FRAME, ZERO_UNIX_MS + seq * 100))
            items.append(ParticipantFact(facts + 1, "join", who, at))
            items.append(SpeakerFact(facts + 2, "start", who.participant_id, who.name, at))
            facts += 3
        actor.send(*items)
        if rng.random() < 0.3:
            actor.answer()
        if rng.random() < deaths:
            epoch += 1
            actor = Actor(disk, spoken, epoch)
    actor.send(EndOfStreams(((0, len(frames) - 1),), facts - 1))
    while actor.answer():
        if rng.random() < deaths:
            epoch += 1
            actor = Actor(disk, spoken, epoch)
    assert actor.session.status == "completed"
    return disk


@settings(max_examples=60)
@given(st.integers(0, 2**32))
def test_no_word_is_lost_or_doubled_whenever_the_actor_dies(seed: int) -> None:
    rng = random.Random(seed)
    spoken = Spoken.random(rng)
    disk = hold(spoken, rng, deaths=0.03)

    said = [word.text for segment in disk.segments() for word in segment.words]
    assert said == [text for text, _ in spoken.times_ms]
    starts = [segment.start_ns for segment in disk.segments()]
    assert starts == sorted(starts)


@settings(max_examples=30)
@given(st.integers(0, 2**32))
def test_events_are_numbered_without_holes_and_told_once(seed: int) -> None:
    rng = random.Random(seed)
    disk = hold(Spoken.random(rng), rng, deaths=0.05)

    events = [event for one in disk.changes for event in one.events]
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    joined = [str(event.body["participant"]) for event in events if event.type == "participant"]
    assert (
        len(joined) == len(set(joined)) == sum(isinstance(f, ParticipantFact) for f in disk.facts)
    )
    ids = [segment.segment_id for segment in disk.segments()]
    assert len(ids) == len(set(ids))


@settings(max_examples=30)
@given(st.integers(0, 2**32))
def test_every_sample_has_its_fate_after_any_deaths(seed: int) -> None:
    rng = random.Random(seed)
    spoken = Spoken.random(rng)
    disk = hold(spoken, rng, deaths=0.05)

    (row,) = disk.claim(0).streams
    assert row.progress is not None
    assert row.progress.duration == len(spoken.pcm) // 2
    assert stored_totals(row).pending == 0


class Journaled:
    """A journal whose frames are all still to be heard."""

    def __init__(self, frames: list[JournalFrame]) -> None:
        self._frames = frames

    async def facts(self, session_id: str) -> AsyncIterator[JournalFact]:
        for fact in list[JournalFact]():
            yield fact

    async def recent_hashes(self, session_id: str, limit: int) -> dict[tuple[int, int], bytes]:
        newest = self._frames[-limit:]
        return {(one.stream, one.seq): one.content_hash for one in newest}

    async def frames_from(
        self, session_id: str, stream: int, sample: int
    ) -> AsyncIterator[JournalFrame]:
        for frame in self._frames:
            yield frame


async def test_after_a_restart_the_newest_frames_are_the_ones_remembered() -> None:
    seqs = range(REMEMBERED_HASHES + 500)
    frames = [
        JournalFrame(0, seq, seq * SHORT, SHORT, content_hash(seq * SHORT, QUIET), QUIET)
        for seq in seqs
    ]
    row = StreamRow(SPEC, len(seqs), len(seqs) * SHORT, None, None)
    session = Session(claim(streams=(row,)), SessionValues(), 0)
    await recover(session, cast(Any, Journaled(frames)))

    def judged(seq: int, payload: bytes) -> Judgement:
        return session.judge([AudioFrame(0, seq, seq * SHORT, payload)], [ZERO_UNIX_NS])

    session.accept(judged(len(seqs), QUIET), 0)
    assert len(session.ledgers[0].hashes) == REMEMBERED_HASHES
    repeated = len(seqs) - 900
    assert judged(repeated, QUIET).error is None
    assert isinstance(judged(repeated, b"\1" * len(QUIET)).error, FrameConflict)


def test_the_last_words_before_a_restart_do_not_wait_for_the_next_audio() -> None:
    values = SessionValues(stall_after_ms=3000)
    pcm = speech(20) + silence(3)
    row = StreamRow(SPEC, 23, 23 * FRAME, None, None)
    meeting = Meeting(Session(claim(streams=(row,)), values, 0))
    for seq in range(23):
        payload = pcm[2 * FRAME * seq : 2 * FRAME * (seq + 1)]
        frame = JournalFrame(0, seq, seq * FRAME, FRAME, b"", payload)
        meeting.session.replay_frame(frame, ZERO_UNIX_NS)
    meeting.session.replayed(0)
    meeting.session.connected(0)
    meeting.wait(2999)
    assert meeting.orders == []

    meeting.wait(1)
    meeting.answer(words(("Hello.", 100, 1800)))
    assert meeting.lines() == [(None, "Hello.")]


def test_after_a_restart_a_stream_without_words_lies_where_its_frames_had_placed_it() -> None:
    """Both streams ended long before the actor that takes the session up hears them."""
    meeting = Meeting.begun()
    frames: list[JournalFrame] = []
    for stream, came_ms in ((0, 0), (1, 3_000)):
        if stream:
            meeting.open(stream)
        for seq in range(5):
            sent = AudioFrame(stream, seq, seq * FRAME, speech(1))
            arrived_ms = ZERO_UNIX_MS + came_ms + 100 * (seq + 1)
            frames += meeting.send(sent, received_unix_ms=arrived_ms).frames
    rows = tuple(
        StreamRow(StreamSpec(stream, FORMAT), 5, 5 * FRAME, None, None) for stream in (0, 1)
    )
    again = Session(claim(streams=rows), SessionValues(), 0)
    for frame in frames:
        again.replay_frame(frame, ZERO_UNIX_NS + 3_600_000 * NS_PER_MS)
    again.replayed(0)
    changes = again.drain(1_000).changes
    assert changes.zero_unix_ms == ZERO_UNIX_MS
    again.end_now(1_000)
    assert [one.last_seq for one in again.ledgers.values()] == [4, 4]
    orders = again.drain(1_000).transcribe
    for order in orders:
        again.transcribed(order.stream, order.chunk, words(("here", 100, 400)), 1_000)
    starts = {one.stream: one.start_ns for one in again.drain(1_000).changes.segments}
    assert starts == {0: 100 * NS_PER_MS, 1: 3_100 * NS_PER_MS}


def ending_without_its_last_fact() -> Session:
    """A session that takes up again what ended with fact 0 still to come."""
    disk = Disk()
    actor = Actor(disk, Spoken(b"", []), 1)
    actor.send(AudioFrame(0, 0, 0, silence(1)), EndOfStreams(((0, 0),), last_fact=0))
    assert actor.session.status == "ending"
    return Actor(disk, Spoken(b"", []), 2).session


def test_after_a_restart_an_end_waits_for_the_facts_that_it_announced() -> None:
    session = ending_without_its_last_fact()
    seen: list[str] = [session.status]
    who = ParticipantRef("p1", "Ana")
    fact = ParticipantFact(0, "join", who, SampleMoment(0, 0))
    session.accept(session.judge([fact], [ZERO_UNIX_NS]), 0)
    seen.append(session.status)
    assert seen == ["ending", "completed"]
    (told,) = [one for one in session.drain(0).changes.events if one.type == "participant"]
    assert told.body["event"] == "join"


def test_an_announced_fact_that_never_comes_is_waited_for_as_long_as_a_sender_is() -> None:
    session = ending_without_its_last_fact()
    session.disconnected(0)
    patience_ms = SessionValues().abandoned_after_ms
    assert not session.must_abandon(patience_ms - 1)
    assert session.must_abandon(patience_ms)
    session.abandon(patience_ms)
    assert session.status == "completed"


@pytest.mark.parametrize("skipped", [FRAME, 5 * RATE])
def test_samples_that_capture_skipped_are_told_of_once_however_often_the_actor_dies(
    skipped: int,
) -> None:
    """What is heard again begins in the middle of the longer gap."""
    disk = Disk()
    spoken = Spoken(b"", [])
    actor = Actor(disk, spoken, 1)
    for seq in range(60):
        after = skipped if seq >= 30 else 0
        payload = speech(1) if seq < 10 else silence(1)
        actor.send(AudioFrame(0, seq, seq * FRAME + after, payload))
        actor.answer()
        if seq % 5 == 0:
            actor = Actor(disk, spoken, 2 + seq)
    events = [event for one in disk.changes for event in one.events]
    gaps = [(one.body["start"], one.body["end"]) for one in events if one.type == "gap"]
    assert gaps == [(3.0, 3.0 + skipped / RATE)]
