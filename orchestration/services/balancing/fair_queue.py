"""Requests that wait, session by session, so that no meeting's backlog delays another's.

Start-time fair queueing (Goyal, Vin and Cheng, SIGCOMM 1996): a session's next request has the
virtual time at which the one before it ended, or the present one; the earliest goes first, and
costs its session what it costs the upstream. Within a session, and between equals, the earliest
deadline goes first.
"""

from bisect import insort
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

ItemT = TypeVar("ItemT")


@dataclass(frozen=True, slots=True, order=True)
class _Entry(Generic[ItemT]):
    deadline_ms: int
    number: int
    cost: int = field(compare=False)
    item: ItemT = field(compare=False)


@dataclass(slots=True)
class _Line(Generic[ItemT]):
    """A session's waiting requests, earliest deadline first, and the virtual time of its next."""

    start: int
    entries: list[_Entry[ItemT]] = field(default_factory=list)


class FairQueue(Generic[ItemT]):
    """At most `most` items wait; of one too many the longest line loses its latest deadline."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lines: dict[str, _Line[ItemT]] = {}
        self._finishes: dict[str, int] = {}
        """Virtual times at which sessions that have nothing waiting may go on; only later ones."""
        self._virtual = 0
        self._numbers = 0

    def limit(self, most: int) -> None:
        """So many may wait from now on; those that wait already do so on."""
        self._most = most

    def __len__(self) -> int:
        return sum(len(line.entries) for line in self._lines.values())

    def put(self, item: ItemT, session: str, deadline_ms: int, cost: int = 1) -> ItemT | None:
        """Wait in the session's line. Returns who has to go for it, which may be the item."""
        line = self._lines.get(session)
        if line is None:
            start = max(self._virtual, self._finishes.pop(session, 0))
            line = self._lines[session] = _Line(start)
        self._numbers += 1
        insort(line.entries, _Entry(deadline_ms, self._numbers, max(cost, 1), item))
        if len(self) <= self._most:
            return None
        longest = max(self._lines, key=lambda name: len(self._lines[name].entries))
        if len(line.entries) == len(self._lines[longest].entries):
            longest = session
        loser = self._lines[longest].entries.pop()
        self._drop_if_empty(longest)
        return loser.item

    def take(self, starts: Callable[[ItemT], bool]) -> ItemT | None:
        """The first in turn that `starts`, which is charged for it; None if none does."""
        in_turn = sorted(self._lines, key=self._turn_of)
        for session in in_turn:
            line = self._lines[session]
            for index, entry in enumerate(line.entries):
                if starts(entry.item):
                    del line.entries[index]
                    self._charge(session, line, entry.cost)
                    return entry.item
        return None

    def sweep(self, leaves: Callable[[ItemT], bool]) -> list[ItemT]:
        """Take out all that `leaves`, without charging anybody for it."""
        gone: list[ItemT] = []
        for session, line in list(self._lines.items()):
            staying: list[_Entry[ItemT]] = []
            for entry in line.entries:
                if leaves(entry.item):
                    gone.append(entry.item)
                else:
                    staying.append(entry)
            line.entries = staying
            self._drop_if_empty(session)
        return gone

    def remove(self, item: ItemT, session: str) -> None:
        """It waits no more, and is not charged for. Nothing happens if it did not wait."""
        line = self._lines.get(session)
        if line is not None:
            line.entries = [entry for entry in line.entries if entry.item is not item]
            self._drop_if_empty(session)

    def _turn_of(self, session: str) -> tuple[int, _Entry[ItemT]]:
        line = self._lines[session]
        return line.start, line.entries[0]

    def _charge(self, session: str, line: _Line[ItemT], cost: int) -> None:
        # A later line may start when those before it cannot; virtual time stays with the first.
        self._virtual = max(self._virtual, min(one.start for one in self._lines.values()))
        line.start = max(line.start, self._virtual) + cost
        self._drop_if_empty(session)
        self._finishes = {
            name: finish for name, finish in self._finishes.items() if finish > self._virtual
        }

    def _drop_if_empty(self, session: str) -> None:
        line = self._lines[session]
        if not line.entries:
            del self._lines[session]
            self._finishes[session] = line.start
        if not self._lines:
            self._finishes.clear()
