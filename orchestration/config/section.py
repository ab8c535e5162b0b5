"""What every section of the settings is."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator, model_validator

from orchestration.config.secrets import HIDDEN, SECRETS, hidden

LARGEST_NUMBER = 1_000_000_000
"""No setting takes more: so many seconds, bytes or rows fit wherever a setting goes, the database
and the system's own limits among it."""


class Section(BaseModel):
    """Settings are frozen, and refuse unknown keys, numbers that are not finite or above
    `LARGEST_NUMBER`, and texts that no file or database can hold."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def nothing_is_an_empty_section(cls, values: Any) -> Any:
        """As YAML has it where all of a section's lines are commented out."""
        return {} if values is None else values

    @field_validator("*")
    @classmethod
    def values_fit_where_they_go(cls, value: Any) -> Any:
        for one in value if isinstance(value, tuple) else (value,):
            if isinstance(one, int | float) and one > LARGEST_NUMBER:
                raise ValueError(f"it is at most {LARGEST_NUMBER}")
            if isinstance(one, str | Path) and not _can_be_stored(str(one)):
                raise ValueError("it has characters that cannot be stored, as U+0000")
        return value

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """Without secrets, as logs and tracebacks have it."""
        for name, value in super().__repr_args__():
            yield name, HIDDEN if value and name in SECRETS else hidden(value)


def _can_be_stored(text: str) -> bool:
    """Whether UTF-8, paths and PostgreSQL have all its characters."""
    return "\0" not in text and not any("\ud800" <= one <= "\udfff" for one in text)
