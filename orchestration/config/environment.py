"""The environment as a layer of settings: which variable is which setting, and how it is read."""

import hashlib
import os
import re
from collections.abc import Callable, Mapping
from typing import Any

from orchestration.config.merging import leaves, nested
from orchestration.errors import ConfigurationError

CONFIG_FILE_VARIABLE = "ORCHESTRATION_CONFIG"
API_KEY_VARIABLE = "ORCHESTRATION_API_KEY"
SHORTEST_API_KEY = 16
"""Characters; a shorter key can be guessed."""

VARIABLES: Mapping[str, str] = {
    "ORCHESTRATION_DATA_DIR": "data_dir",
    "HOST": "server.host",
    "PORT": "server.port",
    "LOG_LEVEL": "log_level",
    API_KEY_VARIABLE: "server.api_key_sha256",
    "ALLOWED_ORIGINS": "server.allowed_origins",
    "DATABASE_URL": "database.url",
    "AUDIO_SERVICE_URL": "services.whisper",
    "WHISPER_SERVICE_URL": "services.whisper",
    "TRANSLATION_SERVICE_URL": "services.translation",
    "GOOGLE_APPLICATION_CREDENTIALS": "google_meet.credentials_file",
    "GOOGLE_MEET_CREDENTIALS": "google_meet.credentials_json",
    "GOOGLE_MEET_SUBJECT": "google_meet.subject",
    "WHISPER_MODEL": "services.embedded_whisper.model",
    "SERVICE_TIMEOUT": "services.timeout_s",
    "GATEWAY_TIMEOUT": "services.gateway_timeout_s",
    "SERVICE_RETRY_ATTEMPTS": "services.tries",
    "HEALTH_CHECK_INTERVAL": "services.health_check_interval_s",
    "WEBSOCKET_MAX_CONNECTIONS": "server.websocket_max_connections",
    "WEBSOCKET_TIMEOUT": "server.websocket_idle_timeout_s",
}
"""The place of each variable's setting; of two variables of one setting the later wins."""

OF_SERVICES: Mapping[str, str] = {
    "WHISPER_SERVICE_MODEL": "services.whisper.model",
    "WHISPER_SERVICE_API_KEY": "services.whisper.api_key",
    "TRANSLATION_SERVICE_API_KEY": "services.translation.api_key",
}
"""Variables that go with the URLs of services, and where each of these has them."""


def environment_layer(environ: Mapping[str, str]) -> dict[str, Any]:
    """What the environment variables say; an empty one counts as unset, one of spaces alone too.

    Raises:
        ConfigurationError: a variable is no text, or the API key is not one or not safe.
    """
    for name in (*VARIABLES, *OF_SERVICES):
        if not environ.get(name, "").isascii() and not _is_utf8(environ[name]):
            raise ConfigurationError(f"{name} is not text in UTF-8.", {"variable": name})
    readers: Mapping[str, Callable[[str], Any]] = {
        "data_dir": _path,
        "log_level": str.upper,
        "server.api_key_sha256": _key_hash,
        "server.allowed_origins": _split,
        "services.whisper": _urls("openai", environ),
        "services.translation": _urls("libretranslate", environ),
        "google_meet.credentials_file": _path,
    }
    values = {
        place: readers.get(place, str)(text)
        for name, place in VARIABLES.items()
        if (text := variable(environ, name))
    }
    return nested(values)


def variables_of(place: str, layer: Mapping[str, Any]) -> tuple[str, ...]:
    """The variables that a value at this place of an environment's layer may have come from."""
    # A service's number in its pool is no part of the place.
    setting = re.sub(r"\.\d+", "", place)
    if not any(setting == one or setting.startswith(f"{one}.") for one, _ in leaves(layer)):
        return ()
    of_each = tuple(name for name, its_place in OF_SERVICES.items() if its_place == setting)
    return of_each or tuple(
        name
        for name, its_place in VARIABLES.items()
        if setting == its_place or setting.startswith(f"{its_place}.")
    )


def variable(environ: Mapping[str, str], name: str) -> str:
    """A variable without the white space around it, as the line ends of a file that it came from.

    The API key has all of its own: clients send it as it is.
    """
    text = environ.get(name, "")
    return text if name == API_KEY_VARIABLE else text.strip()


def hash_key(key: str) -> str:
    """What is kept of an API key: its SHA-256 in hexadecimal. Keys are random, so no salt."""
    return hashlib.sha256(key.encode()).hexdigest()


def _urls(kind: str, environ: Mapping[str, str]) -> Callable[[str], list[dict[str, Any]]]:
    model = variable(environ, "WHISPER_SERVICE_MODEL") if kind == "openai" else None
    key_name = "WHISPER_SERVICE_API_KEY" if kind == "openai" else "TRANSLATION_SERVICE_API_KEY"
    api_key = variable(environ, key_name)

    def parse(text: str) -> list[dict[str, Any]]:
        upstreams: list[dict[str, Any]] = []
        for url in _split(text):
            upstream: dict[str, Any] = {"url": url, "kind": kind}
            if model:
                upstream["model"] = model
            if api_key:
                upstream["api_key"] = api_key
            upstreams.append(upstream)
        return upstreams

    return parse


def _path(text: str) -> str:
    # A shell puts in the home for `~`, and what sets variables otherwise does not.
    return os.path.abspath(os.path.expanduser(text))


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _key_hash(key: str) -> str:
    if not re.fullmatch(r"(?:[!-~](?:[ -~]*[!-~])?)?", key):
        raise ConfigurationError(
            f"{API_KEY_VARIABLE} must be of ASCII letters, digits and marks, without line ends and "
            "without spaces at its ends: no request could carry another key."
        )
    if len(key) < SHORTEST_API_KEY:
        raise ConfigurationError(
            f"{API_KEY_VARIABLE} must have at least {SHORTEST_API_KEY} characters.",
            {"min_characters": SHORTEST_API_KEY},
        )
    return hash_key(key)


def _is_utf8(text: str) -> bool:
    """Whether a variable's bytes were: others become half surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
