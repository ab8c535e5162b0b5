"""Who has the turns for a while, as they were read from all there is at a time."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestration.speakers.speaking_events import SpeakingSpan
from orchestration.speakers.turn_units import TurnUnit


@dataclass(frozen=True, slots=True)
class Reading:
    """The likelihoods of units; good for words that start from `from_ns` and before `to_ns`."""

    from_ns: int
    to_ns: int
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
