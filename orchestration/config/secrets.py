"""What of settings is never shown: keys, and what URLs have of passwords and keys."""

import re
from collections.abc import Mapping
from typing import Any

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


def hidden(value: Any) -> Any:
    """A plain value as it may be shown: a mapping or list with all that is in it, or a text."""
    if isinstance(value, Mapping):
        return {
            name: HIDDEN if name in SECRETS and inner else hidden(inner)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [hidden(inner) for inner in value]
    if isinstance(value, str):
        for pattern, shown in _IN_TEXTS:
            value = pattern.sub(shown, value)
    return value


def has_password(text: str) -> bool:
    """Whether a text is a URL with a password or key in it."""
    return any(pattern.search(text) for pattern, _ in _IN_TEXTS)
