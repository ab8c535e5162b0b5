"""When Google Meet is asked about a session, and when no more. Pure; Unix time in ms."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Phase = Literal["following", "awaiting", "repaired", "given_up"]

TRANSITIONS: Mapping[Phase, frozenset[Phase]] = {
    "following": frozenset({"awaiting"}),
    "awaiting": frozenset({"repaired", "given_up"}),
    "repaired": frozenset(),
    "given_up": frozenset(),
}
"""`following` while the session runs, `awaiting` Meet's transcript once it has ended."""

TRANSCRIPT_FIRST_MS = 60_000
TRANSCRIPT_LONGEST_WAIT_MS = 15 * 60_000
"""Meet makes its transcript minutes after the call; the waits between two looks double."""

FAILED_LONGEST_WAIT_MS = 10 * 60_000
"""Waits after failures double up to this; after a refusal it is this at once, because only a
person can help."""

FAILED_PATIENCE_MS = 24 * 3600_000
"""Asked in vain for this long beyond the patience for its transcript, Google Meet is given up."""


@dataclass(frozen=True, slots=True)
class MeetJob:
    """What is known of one session's conference; `attempts` are those in vain, in a row."""

    session_id: str
    meeting_code: str
    phase: Phase
    attempts: int

    def check(self, outcome: "Outcome") -> None:
        """Raises AssertionError where one look cannot come to this."""
        if outcome.phase not in {self.phase, *TRANSITIONS[self.phase]}:
            raise AssertionError(f"a job does not go from {self.phase} to {outcome.phase}")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What comes of one look: the next one is due at `due_ms`."""

    phase: Phase
    due_ms: int
    attempts: int = 0
    conference: str | None = None
    space: str | None = None
    detail: str = ""


def look_again_ms(now_ms: int, interval_ms: int, attempts: int) -> int:
    """When to ask about a running session after so many failures in a row."""
    wait_ms = interval_ms << min(attempts, 10)
    return now_ms + min(wait_ms, max(interval_ms, FAILED_LONGEST_WAIT_MS))


def transcript_due_ms(now_ms: int, attempts: int) -> int:
    """When to look for the transcript after so many looks in vain."""
    return now_ms + min(TRANSCRIPT_FIRST_MS << min(attempts, 10), TRANSCRIPT_LONGEST_WAIT_MS)
