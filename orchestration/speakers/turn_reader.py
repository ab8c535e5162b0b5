"""Who has the turns around a word, read from all events and words there are at a time."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from orchestration.speakers.heard_words import HeardWords, SpokenWord
from orchestration.speakers.speaking_events import SpeakingEvent, SpeakingEvents, SpeakingSpan
from orchestration.speakers.turn_evidence import REACH_NS
from orchestration.speakers.turn_taking import turn_takers
from orchestration.speakers.turn_units import TurnUnit, turn_units
from orchestration.speakers.unit_voices import Voice

WINDOW_NS, MARGIN_NS = 30_000_000_000, 20_000_000_000
"""Turns are read a window of the meeting at a time, with words before and after for what leads
there. With 10 s around it, up to 8 % of the words of real meetings whose events get lost have no
name; with 20 s they have it, and 30 s change nothing. Windows begin at multiples of their length,
lest a name depend on what was asked for before."""

MAX_READINGS = 8
"""Windows in memory that were read; the one read longest ago goes first."""

EVENTS_AROUND_NS = 3_000_000_000
"""Events this long before the first word and after the last one belong to them."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The likelihoods of units."""

    units: Sequence[TurnUnit]
    likelihoods: Sequence[Mapping[str, float]]
    spans: Sequence[SpeakingSpan]

    def speaker_at(self, start_ns: int) -> tuple[str, float]:
        """The likeliest speaker of a word by where it starts, and how likely that is."""
        likelihoods = self._at(start_ns)
        who = max(likelihoods, key=lambda one: likelihoods[one])
        return who, likelihoods[who]

    def likelihood_at(self, start_ns: int, who: str) -> float:
        """How likely a word that starts there is somebody's."""
        return self._at(start_ns).get(who, 0.0)

    def _at(self, start_ns: int) -> Mapping[str, float]:
        unit = bisect_right(self.units, start_ns, key=lambda one: one.start_ns) - 1
        return self.likelihoods[max(0, unit)]

    def is_said(self, who: str, start_ns: int, end_ns: int) -> bool:
        """Whether the platform says that somebody speaks during a word."""
        return any(
            one.who == who and one.common_ns(start_ns, max(end_ns, start_ns + 1)) > 0
            for one in self.spans
        )


class TurnReader:
    """Events of a meeting, the words of its streams, and what was read from them last."""

    def __init__(
        self,
        people_among: Callable[[Iterable[SpeakingEvent]], Sequence[str]],
        voice_of: Callable[[str, int], Voice | None],
    ) -> None:
        """`people_among` says who can have spoken when these events came, and `voice_of` whose a
        label is at a moment."""
        self._people_among = people_among
        self._voice_of = voice_of
        self._events = SpeakingEvents()
        self._words: dict[int, HeardWords] = {}
        self._readings: dict[tuple[int, int], Reading] = {}

    @property
    def events(self) -> SpeakingEvents:
        """All that the platform said."""
        return self._events

    def say(self, who: str, at_ns: int, *, is_start: bool) -> bool:
        """The platform says that somebody starts to speak, or stops; whether that is news."""
        is_news = self._events.say(who, at_ns, is_start=is_start)
        if is_news:
            self.forget()
        return is_news

    def hear(self, stream: int, words: Sequence[SpokenWord]) -> bool:
        """Words in order take the place of those heard there before; whether that is news."""
        is_news = self._words.setdefault(stream, HeardWords()).heard(words)
        if is_news:
            from_ns, to_ns = words[0].start_ns - MARGIN_NS, words[-1].start_ns + MARGIN_NS
            for window in range(from_ns // WINDOW_NS, to_ns // WINDOW_NS + 1):
                self._readings.pop((stream, window), None)
        return is_news

    def forget(self) -> None:
        """Something else is different now: read anew."""
        self._readings.clear()

    def is_ahead(self, at_ns: int) -> bool:
        """Whether an event, its lag taken off, comes after all words that it can concern."""
        return all(one.end_ns + REACH_NS < at_ns for one in self._words.values())

    def remembers(self, stream: int, word: SpokenWord) -> bool:
        """Whether a word is among those heard."""
        heard = self._words.get(stream)
        return heard is not None and heard.knows(word.start_ns)

    def around(self, stream: int, word: SpokenWord, lag_ns: int) -> Reading:
        """The turns around a word; for one that is not remembered, by itself."""
        heard = self._words.get(stream)
        if heard is None or not heard.knows(word.start_ns):
            return self._read([word], lag_ns)
        window = word.start_ns // WINDOW_NS
        reading = self._readings.get((stream, window))
        if reading is None:
            from_ns = window * WINDOW_NS - MARGIN_NS
            words = heard.between(from_ns, from_ns + WINDOW_NS + 2 * MARGIN_NS)
            if len(self._readings) >= MAX_READINGS:
                del self._readings[next(iter(self._readings))]
            reading = self._readings[stream, window] = self._read(words, lag_ns)
        return reading

    def _read(self, words: Sequence[SpokenWord], lag_ns: int) -> Reading:
        events, spans = self._events.between(
            words[0].start_ns - EVENTS_AROUND_NS, words[-1].end_ns + EVENTS_AROUND_NS, lag_ns
        )
        units = turn_units(words, (one.at_ns for one in events), self._voice_of)
        likelihoods = turn_takers(units, events, spans, self._people_among(events))
        return Reading(units, likelihoods, spans)
