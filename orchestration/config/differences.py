"""What one configuration says otherwise than another, without its secrets."""

from dataclasses import dataclass
from typing import Any

from orchestration.config.merging import leaves
from orchestration.config.models import Settings
from orchestration.config.secrets import HIDDEN, SECRETS, hidden


@dataclass(frozen=True, slots=True)
class Difference:
    """One setting, by its dotted place, before and after."""

    place: str
    before: Any
    after: Any


def differences(before: Settings, after: Settings) -> tuple[Difference, ...]:
    """The settings whose values differ, in the order of their models.

    Secrets are compared as they are, and hidden in what is returned.
    """
    old, new = (dict(leaves(settings.model_dump(mode="json"))) for settings in (before, after))
    return tuple(
        Difference(place, _shown(place, old[place]), _shown(place, value))
        for place, value in new.items()
        if value != old[place]
    )


def without_secrets(settings: Settings) -> dict[str, Any]:
    """All settings as plain values; keys are hidden, and what URLs have of passwords and keys."""
    shown: dict[str, Any] = hidden(settings.model_dump(mode="json"))
    return shown


def _shown(place: str, value: Any) -> Any:
    return HIDDEN if value and place.rpartition(".")[2] in SECRETS else hidden(value)
