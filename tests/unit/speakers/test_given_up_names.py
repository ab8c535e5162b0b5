"""What becomes of the lines of a label that gave up its name, or that nobody remembers."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from orchestration.session.inputs import ParticipantRef
from orchestration.speakers.correlator import Correlator
from orchestration.speakers.dirty_spans import EVERYTHING
from orchestration.speakers.label_evidence import MAX_LABELS
from orchestration.speakers.repainting import Repainter
from orchestration.transcript.segments import Segment, TimedWord

SECOND = 1_000_000_000
WORD_S = 0.5
ANA, BEN = ParticipantRef("p1", "Ana"), ParticipantRef("p2", "Ben")
FIRST, SECOND_VOICE = "voice:0:w#1", "voice:0:w#2"


@dataclass
class Transcript:
    """Lines as they become final, and their names as they change."""

    probability: float | None
    correlator: Correlator = field(default_factory=Correlator)
    repainter: Repainter = field(default_factory=Repainter)
    repainted: list[Segment] = field(default_factory=list)

    def __post_init__(self) -> None:
        for who in (ANA, BEN):
            self.correlator.meet(who)

    def line(self, segment_id: str, start_s: float, count: int, label: str) -> None:
        words = [self._word(start_s + n * WORD_S, label) for n in range(count)]
        words[-1] = replace(words[-1], text="word.")
        speaker = self.correlator.speaker_of(0, words[0].start_ns, words[0].end_ns, label)
        segment = Segment(
            segment_id, 1, 0, words[0].start_ns, words[-1].end_ns, speaker, "en", tuple(words)
        )
        self.repainter.remember(segment)
        self.correlator.heard(segment)
        self.repaint()

    def said(self, who: ParticipantRef, start_s: float, end_s: float) -> None:
        self.correlator.started(who.participant_id, int(start_s * SECOND))
        self.correlator.stopped(who.participant_id, int(end_s * SECOND))
        self.repaint()

    def scan(self) -> None:
        self.correlator.scan()
        self.repaint()

    def repaint(self) -> None:
        span = self.correlator.take_dirty()
        if span is not None:
            self.repainted += self.repainter.repaint(self.correlator, span)

    def names(self, segment_ids: Sequence[str]) -> list[tuple[str, str] | None]:
        speakers = {one.segment_id: one.speaker for one in self.repainter.segments}
        told = (speakers[one] for one in segment_ids)
        return [None if one is None else (one.speaker_id, one.method) for one in told]

    def _word(self, start_s: float, label: str) -> TimedWord:
        start_ns = int(start_s * SECOND)
        end_ns = start_ns + int(WORD_S * SECOND)
        return TimedWord("word", start_ns, end_ns, 0.9, label, self.probability)


@pytest.fixture(params=[None, 0.9], ids=["label", "likely label"])
def transcript(request: pytest.FixtureRequest) -> Transcript:
    """A label has Ben's name by mistake: the events that came are not those of who spoke."""
    made = Transcript(request.param)
    made.line("before all events", 0, 6, FIRST)
    made.line("in Ben's turn", 40, 10, FIRST)
    made.said(BEN, 40, 45)
    made.line("of which nothing is said", 60, 4, FIRST)
    made.scan()
    assert made.names(["before all events", "of which nothing is said"]) == [
        ("p2", "acoustic"),
        ("p2", "acoustic"),
    ]
    return made


def heard_for_longer(transcript: Transcript) -> None:
    """Ben has another voice."""
    for start_s in range(80, 130, 10):
        transcript.line(f"Ben's at {start_s}", start_s, 14, SECOND_VOICE)
        transcript.said(BEN, start_s, start_s + 7)
    transcript.scan()
    found = {label: one.participant_id for label, one in transcript.correlator.label_names.items()}
    assert found == {SECOND_VOICE: "p2"}


def test_lines_of_a_label_that_gave_up_its_name_have_it_no_more(transcript: Transcript) -> None:
    heard_for_longer(transcript)
    ids = ["before all events", "of which nothing is said"]
    assert transcript.names(ids) == [(FIRST, "fallback")] * 2


def test_a_line_that_loses_its_name_is_repainted_once(transcript: Transcript) -> None:
    transcript.repainted.clear()
    heard_for_longer(transcript)
    transcript.correlator.meet(replace(ANA, name="Ana Lima"))
    transcript.repaint()
    told = [one.segment_id for one in transcript.repainted]
    assert len(told) == len(set(told))


def test_a_line_whose_label_is_forgotten_keeps_its_name(transcript: Transcript) -> None:
    for number in range(MAX_LABELS):
        transcript.line(f"other {number}", 100 + number, 1, f"answer:0:{number}#A")
    transcript.scan()
    assert transcript.correlator.label_names.find(FIRST) is None
    transcript.correlator.meet(replace(ANA, name="Ana Lima"))
    transcript.repaint()
    assert transcript.names(["of which nothing is said"]) == [("p2", "acoustic")]


@pytest.mark.parametrize(("probability", "name"), [(0.95, "Ben"), (0.45, None)])
def test_a_line_that_is_no_more_in_memory_is_named_by_how_likely_its_label_is(
    probability: float, name: str | None
) -> None:
    transcript = Transcript(0.9)
    heard_for_longer(transcript)
    start_ns = 1_000 * SECOND
    word = TimedWord("Yes.", start_ns, start_ns + SECOND, 0.9, SECOND_VOICE, probability)
    older = Segment("older", 1, 0, start_ns, start_ns + SECOND, None, "en", (word,))
    repainted = transcript.repainter.repaint(transcript.correlator, EVERYTHING, [older])
    found = {one.segment_id: one.speaker for one in repainted}.get("older")
    assert (None if found is None else found.name) == name
