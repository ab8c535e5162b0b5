"""Settings and their changes as they are shown."""

from collections.abc import Sequence

from pydantic import BaseModel, JsonValue

from orchestration.config.differences import Difference


class ChangeView(BaseModel):
    """One setting by its dotted place; secrets are hidden."""

    setting: str
    before: JsonValue
    after: JsonValue


def changes(found: Sequence[Difference]) -> list[ChangeView]:
    """Differences as they are shown."""
    return [ChangeView(setting=one.place, before=one.before, after=one.after) for one in found]
