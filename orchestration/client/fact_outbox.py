"""Facts that the service has not yet acknowledged: numbered, held, sent at a bounded rate."""

from collections import deque
from collections.abc import Mapping

from orchestration.client.wire import Origin, fact_message, fact_streams
from orchestration.json_types import JsonObject
from orchestration.session.inputs import Fact
from orchestration.timing.units import NS_PER_SECOND

HELD_FACTS = 10_000
"""Facts held until acked; beyond it new ones are dropped and counted."""

FACTS_PER_S = 40
FACTS_BURST = 10
"""Together at most 50 facts in any one second, the service's default limit."""


class FactOutbox:
    """The session's facts: numbered when added, held until acked, sent at a bounded rate."""

    def __init__(self) -> None:
        self.origin: int | None = None
        self.acked = 0
        self.next_to_send = 0
        self.dropped = 0
        self._held: deque[Fact] = deque()
        self._full_at_ns = 0

    @property
    def next_number(self) -> int:
        return self.acked + len(self._held)

    @property
    def all_sent(self) -> bool:
        return self.origin is not None and self.next_to_send == self.next_number

    @property
    def last_fact(self) -> int:
        """The session's number of the last fact, -1 where there was none."""
        return (self.origin or 0) + self.next_number - 1

    def add(self, fact: Fact) -> bool:
        """Whether there was room for it."""
        if len(self._held) >= HELD_FACTS:
            self.dropped += 1
            return False
        self._held.append(fact)
        return True

    def place(self, next_fact: int) -> None:
        """The service says which fact it expects; sending goes on from there."""
        if self.origin is None:
            self.origin = next_fact
        self.acknowledge(next_fact - 1)
        self.next_to_send = self.acked

    def acknowledge(self, upto: int) -> None:
        """Forget facts up to the session's number `upto`."""
        acked = min(upto + 1 - (self.origin or 0), self.next_number)
        while self.acked < acked:
            self._held.popleft()
            self.acked += 1
        self.next_to_send = max(self.next_to_send, self.acked)

    def take(self, now_ns: int, origins: Mapping[int, Origin]) -> JsonObject | None:
        """The next fact's message, if it may go out now; `origins` has the streams placed."""
        fact = self._waiting(origins)
        if fact is None or self.origin is None or now_ns < self._free_ns:
            return None
        self._full_at_ns = max(self._full_at_ns, now_ns) + NS_PER_SECOND // FACTS_PER_S
        number = self.origin + self.next_to_send
        self.next_to_send += 1
        return fact_message(fact, number, origins)

    def wake_ns(self, origins: Mapping[int, Origin]) -> int | None:
        """When the rate lets another fact go, if one waits for that alone."""
        return None if self._waiting(origins) is None else self._free_ns

    def _waiting(self, origins: Mapping[int, Origin]) -> Fact | None:
        if self.origin is None or self.next_to_send >= self.next_number:
            return None
        fact = self._held[self.next_to_send - self.acked]
        return fact if all(stream in origins for stream in fact_streams(fact)) else None

    @property
    def _free_ns(self) -> int:
        return self._full_at_ns - (FACTS_BURST - 1) * NS_PER_SECOND // FACTS_PER_S
