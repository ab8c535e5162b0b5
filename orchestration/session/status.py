"""The states of a session, and from each where it may go."""

from collections.abc import Callable, Mapping
from typing import Literal

SessionStatus = Literal[
    "created", "active", "delayed", "ending", "completed", "failed", "abandoned"
]

TRANSITIONS: Mapping[SessionStatus, frozenset[SessionStatus]] = {
    "created": frozenset({"active", "ending", "abandoned", "failed"}),
    "active": frozenset({"delayed", "ending", "abandoned", "failed"}),
    "delayed": frozenset({"active", "ending", "abandoned", "failed"}),
    "abandoned": frozenset({"ending", "completed", "failed"}),
    "ending": frozenset({"completed", "failed"}),
    "completed": frozenset(),
    "failed": frozenset(),
}
"""The session's states: from each, where it may go."""

TAKING_AUDIO: frozenset[SessionStatus] = frozenset({"created", "active", "delayed"})
"""A sender is expected, and its streams may open."""

OPEN_STATUSES: tuple[SessionStatus, ...] = (
    "created",
    "active",
    "delayed",
    "ending",
    "abandoned",
)
"""The session is to be served by an actor."""

TERMINAL: frozenset[SessionStatus] = frozenset({"completed", "failed"})


class StatusMachine:
    """Where a session is among its states; `tell` takes each new one and why it is so."""

    def __init__(
        self, status: SessionStatus, tell: Callable[[SessionStatus, str | None], None]
    ) -> None:
        self.current = status
        self._tell = tell

    def turn(self, status: SessionStatus, detail: str | None = None) -> None:
        """Go to another state."""
        if status not in TRANSITIONS[self.current]:
            raise AssertionError(f"a session does not go from {self.current} to {status}")
        self.current = status
        self._tell(status, detail)
