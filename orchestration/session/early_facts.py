"""Facts that come before any audio, and so before there is a session time to place them in."""

from collections import deque

from orchestration.session.inputs import CaptionFact, ParticipantFact, SpeakerFact

MAX_EARLY_FACTS = 1_000
"""Facts that wait for a session's first audio. With one more the oldest waits no longer: it tells
who is there, and not when."""

EarlyFact = SpeakerFact | ParticipantFact | CaptionFact


class EarlyFacts:
    """The newest of them, in the order in which they came."""

    def __init__(self) -> None:
        self._waiting: deque[EarlyFact] = deque()

    def wait(self, fact: EarlyFact) -> EarlyFact | None:
        """Keep a fact; returns the one that its room is taken from, if there is none left."""
        self._waiting.append(fact)
        return self._waiting.popleft() if len(self._waiting) > MAX_EARLY_FACTS else None

    def take_all(self) -> deque[EarlyFact]:
        """There is audio: none waits any more."""
        waiting, self._waiting = self._waiting, deque()
        return waiting

    def first_or(self, next_fact: int) -> int:
        """The number of the first fact that waits; `next_fact` where none does."""
        return self._waiting[0].fact if self._waiting else next_fact
