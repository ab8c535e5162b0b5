"""Strict reading of JSON messages by hand: the session's process has no pydantic.

Integers stay below 2**63, because PostgreSQL stores them as bigint. Text that PostgreSQL or UTF-8
cannot hold (NUL, lone surrogates) never gets past here.
"""

import math
import unicodedata
from collections.abc import Sequence
from typing import TypeVar

from orchestration.errors import BadRequest
from orchestration.json_types import JsonValue

MAX_INTEGER = 2**63 - 1
MAX_STREAM = 2**16 - 1
MAX_UNIX_MS = 253_402_300_799_999
"""The last millisecond of the year 9999, where calendars end."""
MAX_EMAIL_CHARACTERS = 320

_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

Choice = TypeVar("Choice", bound=str)


def clean_name(raw: str) -> str:
    """A name on one line, in Unicode's normal form C, so that one name is one however it is typed.

    Names are shown beside other people's names, where an override or a line end could forge one.
    """
    return unicodedata.normalize("NFC", on_one_line(raw))


def on_one_line(raw: str) -> str:
    """Control characters, line ends and text direction overrides become spaces, runs of white space
    one space. Joiners stay: emoji and several scripts need them.
    """
    visible = (
        " " if unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} or c in _BIDI_CONTROLS else c
        for c in raw
    )
    return " ".join("".join(visible).split())


def clean_text(raw: str) -> str:
    """Text as it can be stored: NUL and lone surrogates become U+FFFD; line ends stay."""
    return "".join("\ufffd" if c == "\0" or unicodedata.category(c) == "Cs" else c for c in raw)


class Fields:
    """One JSON object of a message. A null field counts as absent; unknown ones are ignored.

    Every reader raises BadRequest with the fact `field`, and `limit` and `max` where it is a limit
    that was passed.
    """

    def __init__(self, body: JsonValue, where: str, max_name_characters: int) -> None:
        if not isinstance(body, dict):
            raise BadRequest(f"{where} must be a JSON object.", {"field": where})
        self._body = body
        self._where = where
        self._max_name_characters = max_name_characters

    def has(self, name: str) -> bool:
        return self._body.get(name) is not None

    def integer(self, name: str, least: int = 0, most: int = MAX_INTEGER) -> int:
        value = self._required(name)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise self._refusal(name, f"must be an integer from {least} to {most}")
        return value

    def unix_ms(self, name: str) -> int:
        """Milliseconds since 1970; a fraction of one is rounded away, as senders whose clock counts
        seconds in floats have it."""
        value = self._required(name)
        if isinstance(value, float) and math.isfinite(value):
            value = round(value)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_UNIX_MS:
            raise self._refusal(name, f"must be a number from 0 to {MAX_UNIX_MS}")
        return value

    def choice(self, name: str, options: Sequence[Choice]) -> Choice:
        value = self._required(name)
        for option in options:
            if value == option:
                return option
        raise self._refusal(name, f"must be one of {', '.join(options)}")

    def flag(self, name: str) -> bool:
        value = self._body.get(name) or False
        if not isinstance(value, bool):
            raise self._refusal(name, "must be true or false")
        return value

    def identifier(self, name: str) -> str:
        """A name for programs: refused rather than cleaned, lest two of them become one."""
        value = self._text(name, self._max_name_characters, "max_name_characters")
        if not value or on_one_line(value) != value:
            raise self._refusal(name, "must be text without control characters or outer spaces")
        return value

    def name(self, name: str, otherwise: str) -> str:
        """A name for people, cleaned; `otherwise` where it is absent or blank."""
        if not self.has(name):
            return otherwise
        value = self._text(name, self._max_name_characters, "max_name_characters")
        return clean_name(value) or otherwise

    def email(self, name: str) -> str | None:
        if not self.has(name):
            return None
        return clean_name(self._text(name, MAX_EMAIL_CHARACTERS, "max_email_characters")) or None

    def text(self, name: str) -> str:
        return clean_text(self._text(name, MAX_INTEGER, "max_text_bytes"))

    def child(self, name: str) -> "Fields":
        value = self._required(name)
        return Fields(value, f"{self._where}.{name}", self._max_name_characters)

    def children(self, name: str) -> list["Fields"]:
        value = self._required(name)
        if not isinstance(value, list):
            raise self._refusal(name, "must be a list")
        return [
            Fields(item, f"{self._where}.{name}[{index}]", self._max_name_characters)
            for index, item in enumerate(value)
        ]

    def raw(self, name: str) -> JsonValue:
        return self._body.get(name)

    def _required(self, name: str) -> JsonValue:
        value = self._body.get(name)
        if value is None:
            raise self._refusal(name, "is missing")
        return value

    def _text(self, name: str, max_characters: int, limit: str) -> str:
        value = self._required(name)
        if not isinstance(value, str):
            raise self._refusal(name, "must be text")
        if len(value) > max_characters:
            field = f"{self._where}.{name}"
            raise BadRequest(
                f"{field} has {len(value)} characters; at most {max_characters} are allowed.",
                {"field": field, "limit": limit, "max": max_characters},
            )
        return value

    def _refusal(self, name: str, problem: str) -> BadRequest:
        field = f"{self._where}.{name}"
        return BadRequest(f"{field} {problem}.", {"field": field})
