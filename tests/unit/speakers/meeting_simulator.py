"""Meetings with exact turns, and a platform that says late, wrongly or not who speaks."""

import random
from collections import Counter
from dataclasses import dataclass, field, replace

from orchestration.services.ports import Hypothesis, HypothesisWord
from orchestration.session.inputs import ParticipantRef
from orchestration.speakers.caption_text import Caption
from orchestration.speakers.correlator import Correlator
from orchestration.speakers.heard_words import SpokenWord
from orchestration.speakers.labels import label_id, steady_labels
from orchestration.speakers.repainting import Repainter
from orchestration.transcript.lines import ends_sentence
from orchestration.transcript.segments import Segment, SpeakerName, TimedWord

SECOND = 1_000_000_000
NAMED_AFTER_S = 2.8
"""How long after its end a word becomes final, by which time its name is wanted."""

AHEAD_S = 1.5
"""How far beyond a word the transcript reaches when the word becomes final."""

LINE_WORDS = 12
SENTENCE_ENDS = 0.1
"""Share of the words inside a turn that end a sentence."""

LINE_PAUSE_S = 0.7
KNOWN_AFTER_S = 10.0
"""Words of somebody who has spoken this long are judged."""

PEOPLE = [
    ParticipantRef(f"p{n}", name) for n, name in enumerate(["Ana", "Ben", "Carlos", "Dora", "Eva"])
]
VOCABULARY = [f"word{n}" for n in range(400)]


ENGINE = Hypothesis("en", (), "simulated", label_scope="session")


@dataclass(frozen=True, slots=True)
class Turn:
    who: ParticipantRef
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Spoken:
    """A word as it was said."""

    who: ParticipantRef
    start_s: float
    end_s: float
    text: str
    label: str | None


@dataclass(frozen=True, slots=True)
class Platform:
    """How a meeting platform's speaking events are off; `lost` starts and stops one by one.

    One that only tells the active speaker never says a stop, but whose turn goes on after
    somebody's interjection. One that repeats says the start again at this interval while somebody
    speaks.
    """

    delay_s: float
    jitter_s: float = 0.1
    missing: float = 0.0
    spurious: float = 0.0
    lost: float = 0.0
    captions: bool = False
    says_stops: bool = True
    repeats_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Diarization:
    """How an upstream's labels are off: words, and whole turns, with somebody else's label."""

    confused_words: float = 0.05
    confused_turns: float = 0.02


@dataclass(frozen=True, slots=True)
class Talk:
    """How people talk: turns that begin before the last one ended, and "mhm"s inside turns."""

    overlap: float = 0.0
    backchannel: float = 0.0
    late_joiner: bool = False


@dataclass(slots=True)
class Named:
    """Words by what name they got."""

    right: int = 0
    wrong: int = 0
    unnamed: int = 0

    def share(self, count: int) -> float:
        return count / max(1, self.right + self.wrong + self.unnamed)

    def add(self, other: "Named") -> None:
        self.right += other.right
        self.wrong += other.wrong
        self.unnamed += other.unnamed


def turns(chance: random.Random, minutes: float, talk: Talk) -> list[Turn]:
    """Turns of 2 to 12 s with pauses of 0.2 to 1.5 s, speakers by turns at random."""
    made: list[Turn] = []
    now_s, last = 1.0, PEOPLE[0]
    while now_s < minutes * 60:
        present = PEOPLE[:4]
        if talk.late_joiner and now_s > minutes * 30:
            present = PEOPLE
        last = chance.choice([one for one in present if one != last])
        end_s = now_s + chance.uniform(2, 12)
        made.append(Turn(last, now_s, end_s))
        if chance.random() < talk.backchannel:
            other = chance.choice([one for one in present if one != last])
            at_s = chance.uniform(now_s + 0.5, end_s - 0.5)
            made.append(Turn(other, at_s, at_s + chance.uniform(0.3, 0.8)))
        is_early = chance.random() < talk.overlap
        now_s = end_s + (-chance.uniform(0.2, 1.0) if is_early else chance.uniform(0.2, 1.5))
    return made


def words_of(
    chance: random.Random, meeting: list[Turn], diarization: Diarization | None
) -> list[Spoken]:
    """Words of 0.4 s or so, in order, as one whisper hears them: of two at once, either's."""
    said: list[Spoken] = []
    marks = random.Random(len(meeting))
    for turn in meeting:
        count = max(1, round((turn.end_s - turn.start_s) / 0.4))
        length_s = (turn.end_s - turn.start_s) / count
        turn_voice = _voice(chance, turn.who, diarization.confused_turns if diarization else 0)
        for n in range(count):
            start_s = turn.start_s + n * length_s
            label = None
            if diarization is not None:
                voice = _voice(chance, turn_voice, diarization.confused_words)
                raw = f"SPEAKER_{PEOPLE.index(voice):02d}"
                label = label_id(ENGINE, 0, 0, raw)
            mark = "." if n + 1 == count or marks.random() < SENTENCE_ENDS else ""
            text = chance.choice(VOCABULARY) + mark
            said.append(Spoken(turn.who, start_s, start_s + length_s, text, label))
    said.sort(key=lambda one: one.start_s)
    heard = [said[0]]
    for word in said[1:]:
        if word.start_s >= heard[-1].end_s - 0.05:
            heard.append(word)
        elif chance.random() < 0.5:
            heard[-1] = word
    steady = steady_labels(
        [
            HypothesisWord(one.text, int(one.start_s * 1000), int(one.end_s * 1000), 0.9, one.label)
            for one in heard
        ]
    )
    return [replace(one, label=label) for one, label in zip(heard, steady, strict=True)]


def _voice(chance: random.Random, who: ParticipantRef, confused: float) -> ParticipantRef:
    if chance.random() >= confused:
        return who
    return chance.choice([one for one in PEOPLE if one != who])


Event = tuple[float, str, ParticipantRef]


def events(chance: random.Random, meeting: list[Turn], platform: Platform) -> list[Event]:
    """(moment, start or stop, who) as the platform says it, in order."""
    said: list[Event] = []

    def say(who: ParticipantRef, start_s: float, end_s: float) -> None:
        edges = [("start", start_s)]
        if not platform.says_stops:
            inside = [one for one in meeting if start_s < one.start_s and one.end_s < end_s]
            edges += [("start", one.end_s) for one in inside]
        if platform.repeats_after_s is not None:
            again = range(1, int((end_s - start_s) / platform.repeats_after_s) + 1)
            edges += [("start", start_s + n * platform.repeats_after_s) for n in again]
        if platform.says_stops:
            edges.append(("stop", end_s))
        for event, at_s in edges:
            off_s = platform.delay_s + chance.uniform(-platform.jitter_s, platform.jitter_s)
            if chance.random() >= platform.lost:
                said.append((at_s + off_s, event, who))

    for turn in meeting:
        if chance.random() >= platform.missing:
            say(turn.who, turn.start_s, turn.end_s)
        if chance.random() < platform.spurious:
            at_s = chance.uniform(turn.start_s, turn.end_s)
            say(chance.choice(PEOPLE[:4]), at_s, at_s + chance.uniform(0.2, 0.9))
    return sorted(said, key=lambda one: one[0])


def captions(
    chance: random.Random, words: list[Spoken], platform: Platform
) -> list[tuple[float, Caption]]:
    """Captions of up to eight words, one word in ten of them heard differently."""
    told: list[tuple[float, Caption]] = []
    run: list[Spoken] = []
    for word, following in zip(words, [*words[1:], None], strict=True):
        run.append(word)
        if following is None or following.who != word.who or len(run) == 8:
            text = " ".join(
                chance.choice(VOCABULARY) if chance.random() < 0.1 else one.text for one in run
            )
            shift_s = platform.delay_s + chance.uniform(0, platform.jitter_s)
            start_ns, end_ns = (
                int((at_s + shift_s) * SECOND) for at_s in (run[0].start_s, run[-1].end_s)
            )
            caption = Caption(word.who.participant_id, text, start_ns, end_ns)
            told.append((run[-1].end_s + shift_s + 0.5, caption))
            run = []
    return told if platform.captions else []


def known_words(words: list[Spoken]) -> list[list[Spoken]]:
    """For each word those that a session knows when it names it: some that follow are heard."""
    return [
        [one for one in words[at : at + 20] if one.end_s <= word.end_s + AHEAD_S]
        for at, word in enumerate(words)
    ]


@dataclass
class Transcript:
    """Words into final segments, as a session makes them, and their repainting."""

    correlator: Correlator = field(default_factory=Correlator)
    repainter: Repainter = field(default_factory=lambda: Repainter(1_000_000))
    finals: dict[str, Segment] = field(default_factory=dict)
    truth: dict[str, list[Spoken]] = field(default_factory=dict)
    repaints: int = 0
    _open: list[tuple[Spoken, SpeakerName | None]] = field(default_factory=list)

    def overhear(self, words: list[Spoken]) -> None:
        """Words that are known by now, and perhaps not final yet."""
        self.correlator.overheard(
            0,
            [
                SpokenWord(
                    int(one.start_s * SECOND),
                    int(one.end_s * SECOND),
                    one.label,
                    ends_sentence(one.text),
                )
                for one in words
            ],
        )

    def hear(self, word: Spoken) -> None:
        start_ns, end_ns = int(word.start_s * SECOND), int(word.end_s * SECOND)
        speaker = self.correlator.speaker_of(0, start_ns, end_ns, word.label)
        if self._open:
            last, name = self._open[-1]
            known = name.speaker_id if name else None
            if (
                known != (speaker.speaker_id if speaker else None)
                or word.start_s - last.end_s >= LINE_PAUSE_S
                or len(self._open) >= LINE_WORDS
            ):
                self.close()
        self._open.append((word, speaker))

    def close(self) -> None:
        if not self._open:
            return
        segment_id = f"s:{len(self.finals)}"
        timed = tuple(
            TimedWord(one.text, int(one.start_s * SECOND), int(one.end_s * SECOND), 0.9, one.label)
            for one, _ in self._open
        )
        segment = Segment(
            segment_id, 1, 0, timed[0].start_ns, timed[-1].end_ns, self._open[0][1], "en", timed
        )
        self.finals[segment_id] = segment
        self.truth[segment_id] = [one for one, _ in self._open]
        self._open = []
        self.repainter.remember(segment)
        self.correlator.heard(segment)

    def repaint(self) -> None:
        span = self.correlator.take_dirty()
        if span is None:
            return
        for segment in self.repainter.repaint(self.correlator, span):
            assert segment.words == self.finals[segment.segment_id].words
            assert segment.revision == self.finals[segment.segment_id].revision + 1
            self.finals[segment.segment_id] = segment
            self.repaints += 1

    def judged(self, from_s: float = 0, known_after_s: float = KNOWN_AFTER_S) -> Named:
        """Final names against who spoke, once each has spoken for a while."""
        named, spoken_s = Named(), Counter[str]()
        for segment_id, segment in self.finals.items():
            speaker = segment.speaker
            if speaker is not None and speaker.method == "fallback":
                speaker = None
            for word in self.truth[segment_id]:
                spoken_s[word.who.participant_id] += word.end_s - word.start_s  # type: ignore[assignment]
                if word.start_s < from_s or spoken_s[word.who.participant_id] < known_after_s:
                    continue
                if speaker is None:
                    named.unnamed += 1
                elif speaker.speaker_id == word.who.participant_id:
                    named.right += 1
                else:
                    named.wrong += 1
        return named


def hold(
    chance: random.Random,
    platform: Platform,
    *,
    minutes: float = 10,
    named_from_s: float = 0,
    diarization: Diarization | None = None,
    talk: Talk | None = None,
) -> tuple[Named, Transcript]:
    """Play a meeting as it happens; words that start from `named_from_s` on are judged."""
    talk = talk or Talk()
    meeting = turns(chance, minutes, talk)
    words = words_of(chance, meeting, diarization)
    coming = events(chance, meeting, platform)
    writing = captions(chance, words, platform)
    transcript = Transcript()
    correlator = transcript.correlator
    for who in PEOPLE[:4]:
        correlator.meet(who)
        correlator.joined(who.participant_id, 0)
    if talk.late_joiner:
        coming.insert(0, (minutes * 30, "join", PEOPLE[4]))
        coming.sort(key=lambda one: one[0])
    for word, known in zip(words, known_words(words), strict=True):
        now_s = word.end_s + NAMED_AFTER_S
        while coming and coming[0][0] <= now_s:
            at_s, event, who = coming.pop(0)
            at_ns = int(at_s * SECOND)
            if event == "join":
                correlator.meet(who)
                correlator.joined(who.participant_id, at_ns)
            elif event == "start":
                correlator.started(who.participant_id, at_ns)
            else:
                correlator.stopped(who.participant_id, at_ns)
        while writing and writing[0][0] <= now_s:
            correlator.captioned(writing.pop(0)[1])
        transcript.overhear(known)
        transcript.hear(word)
        transcript.repaint()
    transcript.close()
    correlator.scan()
    transcript.repaint()
    return transcript.judged(named_from_s), transcript
