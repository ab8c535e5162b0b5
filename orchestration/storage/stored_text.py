"""Text and JSON as PostgreSQL can hold them.

It has no NUL in text, and no half of a surrogate pair. Either may come in a name or from an
engine, and must not cost a session its transcript: it is stored as U+FFFD, the replacement
character.
"""

import json
import re

from orchestration.errors import BadRequest
from orchestration.json_types import JsonValue

UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
REPLACEMENT = "\ufffd"


def storable_text(text: str) -> str:
    """The text with what PostgreSQL cannot hold replaced."""
    return UNSTORABLE.sub(REPLACEMENT, text)


def storable_json(value: JsonValue) -> JsonValue:
    """The value with what PostgreSQL cannot hold replaced in all its strings and keys."""
    if isinstance(value, str):
        return storable_text(value)
    if isinstance(value, dict):
        return {storable_text(key): storable_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [storable_json(item) for item in value]
    return value


def encode_json(value: JsonValue) -> str:
    """JSON for a jsonb column.

    Raises:
        BadRequest: a number is not finite, which JSON cannot say.
    """
    try:
        # ASCII, so that what is unstorable shows as an escape and one search finds it. It may
        # find an innocent escaped backslash too; then the slow way is merely slow.
        text = json.dumps(value, allow_nan=False, separators=(",", ":"))
        if "\\u0000" in text or "\\ud" in text:
            text = json.dumps(
                storable_json(value), allow_nan=False, separators=(",", ":"), ensure_ascii=False
            )
    except ValueError as error:
        raise BadRequest(f"A value cannot be stored as JSON: {error}.") from error
    return text


def decode_json(text: str) -> JsonValue:
    value: JsonValue = json.loads(text)
    return value
