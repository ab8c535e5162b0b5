"""The environment as a layer of settings: which variable is which setting, and how it is read."""

import hashlib
import os
import re
from collections.abc import Callable, Mapping
from typing import Any

from orchestration.config.merging import nested
from orchestration.errors import ConfigurationError

CONFIG_FILE_VARIABLE = "ORCHESTRATION_CONFIG"
API_KEY_VARIABLE = "ORCHESTRATION_API_KEY"
SHORTEST_API_KEY = 16
"""Characters; a shorter key can be guessed."""

OF_SERVICES = (
    "WHISPER_SERVICE_MODEL",
    "WHISPER_SERVICE_API_KEY",
    "TRANSLATION_SERVICE_API_KEY",
)
"""Variables that go with the URLs of services."""


def environment_layer(environ: Mapping[str, str]) -> dict[str, Any]:
    """What the environment variables say; an empty one counts as unset, one of spaces alone too.

    Raises:
        ConfigurationError: a variable is no text, or the API key is not one or not safe.
    """
    variables: tuple[tuple[str, str, Callable[[str], Any]], ...] = (
        ("ORCHESTRATION_DATA_DIR", "data_dir", _path),
        ("HOST", "server.host", str),
        ("PORT", "server.port", str),
        ("LOG_LEVEL", "log_level", str.upper),
        (API_KEY_VARIABLE, "server.api_key_sha256", _key_hash),
        ("ALLOWED_ORIGINS", "server.allowed_origins", _origins),
        ("DATABASE_URL", "database.url", str),
        ("AUDIO_SERVICE_URL", "services.whisper", _urls("openai", environ)),
        ("WHISPER_SERVICE_URL", "services.whisper", _urls("openai", environ)),
        ("TRANSLATION_SERVICE_URL", "services.translation", _urls("libretranslate", environ)),
        ("GOOGLE_APPLICATION_CREDENTIALS", "google_meet.credentials_file", _path),
        ("GOOGLE_MEET_CREDENTIALS", "google_meet.credentials_json", str),
        ("GOOGLE_MEET_SUBJECT", "google_meet.subject", str),
        ("WHISPER_MODEL", "services.embedded_whisper.model", str),
        ("SERVICE_TIMEOUT", "services.timeout_s", str),
        ("GATEWAY_TIMEOUT", "services.gateway_timeout_s", str),
        ("SERVICE_RETRY_ATTEMPTS", "services.tries", str),
        ("HEALTH_CHECK_INTERVAL", "services.health_check_interval_s", str),
        ("WEBSOCKET_MAX_CONNECTIONS", "server.websocket_max_connections", str),
        ("WEBSOCKET_TIMEOUT", "server.websocket_idle_timeout_s", str),
    )
    for name in (*(variable[0] for variable in variables), *OF_SERVICES):
        if not environ.get(name, "").isascii() and not _is_utf8(environ[name]):
            raise ConfigurationError(f"{name} is not text in UTF-8.", {"variable": name})
    said = ((variable(environ, name), place, parse) for name, place, parse in variables)
    return nested({place: parse(text) for text, place, parse in said if text})


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
        for url in (part.strip() for part in text.split(",") if part.strip()):
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


def _origins(text: str) -> list[str]:
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
