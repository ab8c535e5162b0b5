"""Cursors of the doubles: the number of the first row of a page."""

from orchestration.errors import BadRequest


def first_row(cursor: str | None) -> int:
    """Raises BadRequest for a cursor that was not given, as the real archive does."""
    if not cursor:
        return 0
    if not (cursor.isascii() and cursor.isdigit()):
        raise BadRequest("The cursor is not one that this service gave.")
    return int(cursor)
