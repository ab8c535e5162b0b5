"""Words of a session are where they were spoken, whatever the sender's sample clock does."""

from dataclasses import dataclass, field, replace

import pytest

from orchestration.services.ports import Hypothesis
from orchestration.session.inputs import AudioFrame, ClockFact, StreamSpec
from orchestration.session.session import Session
from orchestration.session.transcription import TranscribeOrder
from orchestration.session.values import SessionValues
from orchestration.storage.journal_ports import Claim
from orchestration.storage.values import StreamRow
from orchestration.timing.units import NS_PER_MS
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

TURN_MS = 2_000
"""One word of half a second, and silence."""
WORD_AT_MS = 600
TURN = silence(6) + speech(5) + silence(9)
ACCIDENT_S = 150
TOLERANCE_MS = 3


@dataclass
class Sender:
    """A bot whose sample clock is slow by `ppm`, that loses `lost_ms` of capture on its way."""

    ppm: float = 0.0
    lost_ms: int = 0
    path_ms: int = 0
    meeting: Meeting = field(default_factory=Meeting.begun)
    frame: int = 0
    facts: int = 0

    def true_ms(self, sample: int) -> float:
        """When a sample was captured, since the first."""
        nominal_ms = sample * 1000 / RATE
        return nominal_ms * (1 + self.ppm / 1e6) + self.lost_ms * (nominal_ms > ACCIDENT_S * 1000)

    def speak(self, until_s: int) -> None:
        """A frame each 100 ms, a stamp each 5 s; the engine answers at once."""
        while self.frame < until_s * 10:
            at = 2 * FRAME * (self.frame % (TURN_MS // 100))
            first = self.frame * FRAME
            captured_ms = self.true_ms(first + FRAME)
            path_ms = self.path_ms * (self.frame > ACCIDENT_S * 10)
            self.meeting.now_ms = round(captured_ms)
            items: list[AudioFrame | ClockFact] = [
                AudioFrame(0, self.frame, first, TURN[at : at + 2 * FRAME])
            ]
            if self.frame % 50 == 0:
                stamp_ms = ZERO_UNIX_MS + round(self.true_ms(first))
                items.append(ClockFact(self.facts, 0, first, stamp_ms))
                self.facts += 1
            arrival_ms = ZERO_UNIX_MS + 30 + path_ms + round(captured_ms)
            self.meeting.send(*items, received_unix_ms=arrival_ms)
            self.frame += 1
            while self.meeting.orders:
                self.meeting.answer(heard(self.meeting.orders[0]))

    def errors_ms(self) -> list[float]:
        """How far each final word is from where it was spoken."""
        found = []
        for step in self.meeting.steps:
            for segment in step.changes.segments:
                for word in segment.words:
                    number = int(word.text)
                    spoken = (number * TURN_MS + WORD_AT_MS) * RATE // 1000
                    found.append(word.start_ns / NS_PER_MS - self.true_ms(spoken))
        return found

    def move(self) -> None:
        """The session's actor dies, and another takes up what was stored."""
        former = self.meeting
        changes = [step.changes for step in former.steps]
        segments = [one for change in changes for one in change.segments]
        progress = [one.streams[-1] for one in changes if one.streams][-1]
        row = StreamRow(StreamSpec(0, FORMAT), self.frame, self.frame * FRAME, None, progress)
        zero_unix_ms = [one.zero_unix_ms for one in changes if one.zero_unix_ms][-1]
        session = replace(claim().session, status="active", zero_unix_ms=zero_unix_ms, epoch=2)
        taken = Claim(
            session,
            2,
            (row,),
            last_event_seq=former.events[-1].seq,
            next_fact=self.facts,
            segment_counts={0: len(segments)},
            recent_segments=segments[-3:],
            clocks={row.stream: row for change in changes for row in change.clocks},
            timeline=[row for change in changes for row in change.timeline],
        )
        self.meeting = Meeting(Session(taken, SessionValues(), former.now_ms))
        self.meeting.steps = former.steps
        self.meeting.session.connected(former.now_ms)


def heard(order: TranscribeOrder) -> Hypothesis:
    start, end = (sample * 1000 // RATE for sample in (order.chunk.start, order.chunk.end))
    spoken = []
    for number in range(start // TURN_MS, end // TURN_MS + 1):
        at = number * TURN_MS + WORD_AT_MS
        if start <= at and at + 500 <= end:
            spoken.append((str(number), at - start, at + 500 - start))
    return words(*spoken)


@pytest.mark.parametrize("ppm", [-200.0, 200.0])
def test_words_of_a_sound_card_that_drifts_stay_where_they_were_spoken(ppm: float) -> None:
    sender = Sender(ppm)
    sender.speak(300)

    errors = sender.errors_ms()

    assert len(errors) > 100
    assert max(map(abs, errors[20:])) <= TOLERANCE_MS, "uncorrected it would be 60 ms"
    assert sender.meeting.told("clock") == []


def test_lost_capture_is_told_and_words_after_it_are_later() -> None:
    sender = Sender(50.0, lost_ms=400)
    sender.speak(240)

    (told,) = sender.meeting.told("clock")
    assert told["kind"] == "capture_gap"
    assert told["seconds"] == pytest.approx(0.4, abs=0.003)
    assert max(map(abs, sender.errors_ms()[-30:])) <= TOLERANCE_MS
    stored = [row for step in sender.meeting.steps for row in step.changes.clock_changes]
    assert [(row.stream, str(row.change.kind)) for row in stored] == [(0, "capture_gap")]


def test_a_longer_path_is_told_and_moves_no_word() -> None:
    sender = Sender(path_ms=40)
    sender.speak(240)

    assert [one["kind"] for one in sender.meeting.told("clock")] == ["path_change"]
    assert max(map(abs, sender.errors_ms())) <= TOLERANCE_MS


def test_after_a_restart_words_go_on_where_the_timeline_was() -> None:
    sender = Sender(200.0)
    sender.speak(200)
    sender.move()
    sender.speak(300)

    assert max(map(abs, sender.errors_ms()[20:])) <= TOLERANCE_MS
    last = [row for step in sender.meeting.steps for row in step.changes.clocks][-1]
    assert last.estimate.rate_ppm == pytest.approx(200.0, abs=20)


def test_an_estimate_is_stored_at_most_once_in_five_seconds() -> None:
    sender = Sender(50.0)
    sender.speak(100)

    rows = [row for step in sender.meeting.steps for row in step.changes.clocks]
    assert 0 < len(rows) <= 20
    assert len({row.at_sample // (5 * RATE) for row in rows}) == len(rows)
