"""Which segments still want which translations."""

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass

from orchestration.services.ports import TranslationRequest
from orchestration.transcript.segments import Segment


@dataclass(slots=True)
class _Wanted:
    request: TranslationRequest
    revision: int
    attempts: int = 0
    due_ms: int = 0
    failing_since_ms: int | None = None
    under_way: bool = False
    can_wait: bool = False


RETRY_MAX_MS = 15_000
"""Between two tries; the wait doubles from 2 s."""

PAST_AT_ONCE = 200
"""Earlier lines, one for each language, that are read back at once; the next ones when half of
these are settled. All of a long meeting's would be 50 MB."""


@dataclass(frozen=True, slots=True, eq=False)
class PastPlace:
    """How far the earlier lines were read, in one look through them."""

    after: tuple[int, int, str, str] | None = None
    """Start, stream and id of the last line, and its language; None before the first."""


class TranslationDesk:
    """Keeps the translations that are wanted until each is settled.

    At most `MAX_UNDER_WAY` are asked for at once: a session that catches up does not flood the
    engine. A pair of languages that no engine has is given up for the whole session.
    """

    MAX_UNDER_WAY = 4

    def __init__(
        self, session_id: str, targets: tuple[str, ...], attempts: int, patience_ms: int
    ) -> None:
        """A translation is given up after as many `attempts` when it is refused or the session
        ends, else when it has failed for `patience_ms`: services restart."""
        self._session_id = session_id
        self._targets = targets
        self._attempts = attempts
        self._patience_ms = patience_ms
        self._wanted: dict[tuple[str, str], _Wanted] = {}
        self._unsupported: set[tuple[str, str]] = set()
        self._past: PastPlace | None = None

    @property
    def is_idle(self) -> bool:
        return not self._wanted and self._past is None

    @property
    def due_past(self) -> PastPlace | None:
        """Behind which earlier lines are to be read now; None while none are, or enough wait."""
        waiting = sum(one.can_wait for one in self._wanted.values())
        return self._past if waiting <= PAST_AT_ONCE // 2 else None

    @property
    def waiting(self) -> int:
        """Translations that are wanted, those under way included."""
        return len(self._wanted)

    def aim_at(self, targets: tuple[str, ...]) -> None:
        """Lines are wanted in these languages from now on, and in no others."""
        has_more = not set(targets) <= set(self._targets)
        self._targets = targets
        if has_more:
            self.look_back()
        self._wanted = {key: one for key, one in self._wanted.items() if key[1] in targets}

    def look_back(self) -> None:
        """Earlier lines that want a translation are to be read, from the first on."""
        self._past = PastPlace()

    def want_past(
        self,
        place: PastPlace,
        lines: Sequence[tuple[Segment, str]],
        settled: Container[tuple[str, str]] = (),
    ) -> None:
        """Earlier lines in languages that they are not translated to: behind what is said now.

        They are those after `place`, and the last ones if there are less than `PAST_AT_ONCE`.
        `settled` are ids and languages of those whose translation came since the lines were read.
        """
        if place is not self._past:
            return  # A language came while they were read: they are read anew.
        self._past = None
        if len(lines) >= PAST_AT_ONCE:
            last, target = lines[-1]
            self._past = PastPlace((last.start_ns, last.stream, last.segment_id, target))
        for segment, target in lines:
            key = (segment.segment_id, target)
            if target in self._targets and key not in self._wanted and key not in settled:
                self.want(segment, (target,))
                if key in self._wanted:
                    self._wanted[key].can_wait = True

    def want(self, segment: Segment, targets: Iterable[str] | None = None) -> None:
        """Want a final segment in the session's target languages, or in those given."""
        source = segment.language
        for target in self._targets if targets is None else targets:
            if target != source and (source, target) not in self._unsupported and segment.text:
                request = TranslationRequest(
                    self._session_id, segment.segment_id, segment.text, source, target
                )
                self._wanted[segment.segment_id, target] = _Wanted(request, segment.revision)

    def due(self, now_ms: int) -> list[TranslationRequest]:
        """Requests to send now; each counts as under way from here on."""
        room = self.MAX_UNDER_WAY - sum(one.under_way for one in self._wanted.values())
        ready = [one for one in self._wanted.values() if not one.under_way and one.due_ms <= now_ms]
        ready.sort(key=lambda one: one.can_wait)
        begun = ready[: max(0, room)]
        for one in begun:
            one.under_way = True
        return [one.request for one in begun]

    def settle(self, request: TranslationRequest) -> int | None:
        """The request has its final answer. Returns its segment's revision, None if unknown."""
        wanted = self._wanted.pop((request.segment_id, request.target), None)
        return None if wanted is None else wanted.revision

    def failed(self, request: TranslationRequest, now_ms: int, *, can_wait: bool) -> bool:
        """A try failed. True when it was the last one; the caller then settles it. `can_wait`: it
        may do yet, and nobody waits for the session to end."""
        wanted = self._wanted.get((request.segment_id, request.target))
        if wanted is None:
            return False
        wanted.attempts += 1
        wanted.under_way = False
        wanted.due_ms = now_ms + min(RETRY_MAX_MS, 1000 * 2 ** min(wanted.attempts, 16))
        if wanted.failing_since_ms is None:
            wanted.failing_since_ms = now_ms
        if can_wait:
            return now_ms - wanted.failing_since_ms >= self._patience_ms
        return wanted.attempts >= self._attempts

    def unsupported(self, request: TranslationRequest) -> bool:
        """No engine has this pair: forget all that want it. True the first time."""
        pair = (request.source, request.target)
        first = pair not in self._unsupported
        self._unsupported.add(pair)
        for key in [
            key
            for key, one in self._wanted.items()
            if (one.request.source, one.request.target) == pair
        ]:
            del self._wanted[key]
        return first
