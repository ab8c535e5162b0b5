"""Cursors of listings: the last row's place, as text that comes back from the outside."""

import base64
import binascii
import json
from typing import Any

from orchestration.errors import BadRequest
from orchestration.session.fields import MAX_INTEGER
from orchestration.storage.stored_text import storable_text


def not_given() -> BadRequest:
    """What is said to a cursor that no listing has ended with."""
    return BadRequest("The cursor is not one that this service gave.")


def cursor_at(*place: int | str) -> str:
    """A cursor behind the row of this place."""
    # As UTF-8: with escapes an id of emoji would make a cursor that is too long to be taken back.
    text = json.dumps(place, ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def place_of(cursor: str, *kinds: type) -> Any:
    """The parts of a cursor, checked to be of these kinds.

    Raises:
        BadRequest: the cursor is not one that was given.
    """
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        place = json.loads(base64.urlsafe_b64decode(padded.encode()))
        if not isinstance(place, list) or [type(part) for part in place] != list(kinds):
            raise ValueError("other parts")
        if any(isinstance(part, int) and abs(part) > MAX_INTEGER for part in place):
            raise ValueError("beyond the database's numbers")
    except (ValueError, binascii.Error, RecursionError) as error:
        raise not_given() from error
    return [storable_text(part) if isinstance(part, str) else part for part in place]
