"""One upstream's circuit breaker: closed, open, or half open while a single probe is under way."""

from dataclasses import dataclass
from enum import Enum

OPEN_BASE_MS = 30_000
OPEN_MAX_MS = 300_000
"""An upstream stays out for base * 2 ** (times in a row - 1) milliseconds, at most this long."""


class State(Enum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Event(Enum):
    TRIPPED = "tripped"
    """The pool ejects the upstream."""
    PROBED = "probed"
    """A request goes to it, to see."""
    PROBE_ANSWERED = "probe_answered"
    PROBE_FAILED = "probe_failed"
    PROBE_ABANDONED = "probe_abandoned"
    """Whoever asked went away: nothing is known, and the next request may probe."""
    READMITTED = "readmitted"
    """Too few would be left without it."""


TRANSITIONS = {
    (State.CLOSED, Event.TRIPPED): State.OPEN,
    (State.OPEN, Event.PROBED): State.HALF_OPEN,
    (State.OPEN, Event.READMITTED): State.CLOSED,
    (State.HALF_OPEN, Event.PROBE_ANSWERED): State.CLOSED,
    (State.HALF_OPEN, Event.PROBE_FAILED): State.OPEN,
    (State.HALF_OPEN, Event.PROBE_ABANDONED): State.OPEN,
    (State.HALF_OPEN, Event.READMITTED): State.CLOSED,
}


@dataclass(slots=True)
class Breaker:
    """Where an upstream stands. An event that has no transition from there is an error."""

    state: State = State.CLOSED
    due_ms: int = 0
    """When an open breaker may be probed."""
    times_open: int = 0
    """In a row: without staying closed for as long as the last time out."""
    closed_ms: int = 0
    """Since when it is closed."""

    def handle(self, event: Event, now_ms: int) -> None:
        """Move to the next state."""
        self.state = TRANSITIONS[self.state, event]
        if event is Event.TRIPPED and now_ms - self.closed_ms >= self.open_ms:
            self.times_open = 0
        if event in (Event.TRIPPED, Event.PROBE_FAILED):
            self.times_open += 1
            self.due_ms = now_ms + self.open_ms
        elif event is Event.PROBE_ABANDONED:
            self.due_ms = now_ms
        elif self.state is State.CLOSED:
            self.closed_ms = now_ms

    def is_due(self, now_ms: int) -> bool:
        """Whether the next request should probe it."""
        return self.state is State.OPEN and now_ms >= self.due_ms

    @property
    def open_ms(self) -> int:
        """How long the present or last time out is."""
        doublings = min(max(self.times_open - 1, 0), 16)
        return min(OPEN_MAX_MS, OPEN_BASE_MS << doublings)
