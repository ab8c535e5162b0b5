"""Session ids: 1 to 64 letters, digits, `_` and `-`."""

import re
import secrets
from typing import Annotated

from fastapi import Depends

from orchestration.errors import UnknownSession

SESSION_ID_PATTERN = r"^[A-Za-z0-9_-]{1,64}$"


def check_session_id(session_id: str) -> str:
    """The id as it is; one of another form names no session.

    Raises:
        UnknownSession: the id has not the documented form.
    """
    if not re.fullmatch(SESSION_ID_PATTERN.strip("^$"), session_id):
        raise UnknownSession("No session has this id.")
    return session_id


def new_session_id() -> str:
    """An id that nobody guesses."""
    return secrets.token_hex(12)


async def _session_id_in_path(session_id: str) -> str:
    return check_session_id(session_id)


SessionId = Annotated[str, Depends(_session_id_in_path)]
