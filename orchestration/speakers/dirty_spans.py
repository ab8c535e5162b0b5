"""Where words may have other names than before. Session time in ns."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """Session time whose words may have other names; `to_ns` None means from there on."""

    from_ns: int
    to_ns: int | None


EVERYTHING = Span(0, None)


class DirtySpans:
    """All spans since somebody looked, as one that reaches around them."""

    def __init__(self) -> None:
        self._dirty: Span | None = None

    def touch(self, span: Span) -> None:
        """Something is different here."""
        if self._dirty is None:
            self._dirty = span
            return
        ends = (self._dirty.to_ns, span.to_ns)
        end_ns = None if None in ends else max(end for end in ends if end is not None)
        self._dirty = Span(min(self._dirty.from_ns, span.from_ns), end_ns)

    def take(self) -> Span | None:
        """What is different since the last call."""
        dirty, self._dirty = self._dirty, None
        return dirty
