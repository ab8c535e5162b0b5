"""What one configuration says otherwise than another, and what of it may be shown."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestration.config.merging import leaves
from orchestration.config.models import Settings

HIDDEN = "(hidden)"
"""Shown in place of a secret that is set."""

SECRETS = frozenset({"api_key", "api_key_sha256", "credentials_json", "secret"})
"""Names of settings that are never shown."""

_IN_TEXTS = (
    (re.compile(r"(?<=://)([^/@:\s]*):[^/\s]*@"), rf"\1:{HIDDEN}@"),
    # By HTTP a user without a password is a key: so services take theirs.
    (re.compile(r"(?<=http://|ttps://)[^/@:\s]+@", re.IGNORECASE), f"{HIDDEN}@"),
    (
        re.compile(
            r"(?<=[?&])(password|sslpassword|api[-_]?key|key|access_token|token|secret|signature"
            r"|sig)=[^&#\s]*",
            re.IGNORECASE,
        ),
        rf"\1={HIDDEN}",
    ),
)
"""Secrets in URLs, and what is shown in their place."""


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
    hidden: dict[str, Any] = _hide(settings.model_dump(mode="json"))
    return hidden


def has_password(text: str) -> bool:
    """Whether a text is a URL with a password or key in it."""
    return any(pattern.search(text) for pattern, _ in _IN_TEXTS)


def _shown(place: str, value: Any) -> Any:
    return HIDDEN if value and place.rpartition(".")[2] in SECRETS else _hide(value)


def _hide(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            name: HIDDEN if name in SECRETS and inner else _hide(inner)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [_hide(inner) for inner in value]
    if isinstance(value, str):
        for pattern, shown in _IN_TEXTS:
            value = pattern.sub(shown, value)
    return value
