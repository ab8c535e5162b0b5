"""Ranges of session time in query strings: `from` and `to`, in seconds."""

from typing import Annotated

from fastapi import Depends, Query

from orchestration.errors import BadRequest

MAX_SECONDS = 10_000_000
"""Session time that may be asked for; over a hundred days."""

Seconds = Annotated[float, Query(ge=0, le=MAX_SECONDS)]

WHOLE_NS = (-MAX_SECONDS * 10**9, MAX_SECONDS * 10**9)
"""Streams that began before session zero, and all that follows."""


def time_range(
    start: Annotated[Seconds | None, Query(alias="from")] = None,
    end: Annotated[Seconds | None, Query(alias="to")] = None,
) -> tuple[int, int]:
    """Nanoseconds of session time; all of it unless said.

    Raises:
        BadRequest: the range is empty.
    """
    from_ns = WHOLE_NS[0] if start is None else round(start * 1e9)
    to_ns = WHOLE_NS[1] if end is None else round(end * 1e9)
    if from_ns >= to_ns:
        raise BadRequest("from must be below to.", {"from": start, "to": end})
    return from_ns, to_ns


TimeRange = Annotated[tuple[int, int], Depends(time_range)]
