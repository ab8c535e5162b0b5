"""Reads settings in layers: defaults, a YAML file, environment variables; the last wins."""

import hashlib
import ipaddress
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from orchestration.config.merging import merged, nested
from orchestration.config.models import Settings
from orchestration.config.seed_layout import from_seed_layout
from orchestration.config.yaml_text import plain_values
from orchestration.errors import ConfigurationError

CONFIG_FILE_VARIABLE = "ORCHESTRATION_CONFIG"
API_KEY_VARIABLE = "ORCHESTRATION_API_KEY"
PATHS = ("data_dir", "google_meet.credentials_file")
"""Settings that are paths."""
SHORTEST_API_KEY = 16
"""Characters; a shorter key can be guessed."""


def load_settings(environ: Mapping[str, str], config_file: Path | None = None) -> Settings:
    """The settings that defaults, file and environment add up to.

    The file is `config_file`, else the one that ORCHESTRATION_CONFIG names, else none.

    Raises:
        ConfigurationError: a value is malformed, unknown or unsafe; the message names it.
    """
    path = named_file(environ, config_file)
    in_file = file_layer(path)[0] if path else {}
    settings = validated(lowest_layer(environ), in_file, environment_layer(environ))
    check_safe(settings)
    return settings


def named_file(environ: Mapping[str, str], config_file: Path | None = None) -> Path | None:
    """`config_file`, else the one that ORCHESTRATION_CONFIG names, else none."""
    named = _said(environ, CONFIG_FILE_VARIABLE)
    return config_file or (Path(named) if named else None)


def lowest_layer(environ: Mapping[str, str]) -> dict[str, Any]:
    """The defaults that depend on the machine; of a user without a home there are none."""
    try:
        return {"data_dir": str(_default_data_dir(environ))}
    except RuntimeError:
        return {}


def validated(*layers: Mapping[str, Any]) -> Settings:
    """The settings that the layers add up to.

    Raises:
        ConfigurationError: names every value that does not fit, and why.
    """
    try:
        return Settings.model_validate(merged(*layers))
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        places = [".".join(str(part) for part in fault["loc"]) or "settings" for fault in faults]
        reasons = [_reason(fault["type"], fault["msg"], fault["loc"]) for fault in faults]
        sentences = [
            f"Setting {place}: {reason}" for place, reason in zip(places, reasons, strict=True)
        ]
        raise ConfigurationError(
            "\n".join(sentences), {"faults": dict(zip(places, reasons, strict=True))}
        ) from None


def _reason(kind: str, message: str, place: tuple[int | str, ...]) -> str:
    """Why a value does not fit, for somebody who reads no Python."""
    if kind == "missing" and place == ("data_dir",):
        return "this user has no home directory to keep data in: set ORCHESTRATION_DATA_DIR."
    if kind == "extra_forbidden":
        return "there is no setting of this name."
    if kind == "model_type":
        return "it is a section, and has its settings below it."
    return f"{message.removeprefix('Value error, ')}."


def file_layer(path: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What a YAML file says, at today's places, and the places of what has no effect.

    Paths in it begin at its own folder, or with `~` at the user's, wherever it is read.

    Raises:
        ConfigurationError: the file cannot be read, or holds no mapping.
    """
    values, without_effect = from_seed_layout(_read_yaml(path))
    for name in PATHS:
        _from_folder(values, name.split("."), path.parent.absolute())
    return values, without_effect


def check_safe(settings: Settings) -> None:
    """Refuse to listen beyond loopback without a key.

    Raises:
        ConfigurationError: says why, and what to set.
    """
    if settings.server.api_key_sha256 is None and not is_loopback(settings.server.host):
        reason = (
            f"HOST {settings.server.host} is reachable from other machines, and without a key "
            f"anybody there could read the meetings: set {API_KEY_VARIABLE}, or HOST to 127.0.0.1."
        )
        raise ConfigurationError(reason, {"faults": {"server.host": reason}})


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def hash_key(key: str) -> str:
    """What is kept of an API key: its SHA-256 in hexadecimal. Keys are random, so no salt."""
    return hashlib.sha256(key.encode()).hexdigest()


def _from_folder(section: Any, names: list[str], folder: Path) -> None:
    name, *further = names
    value = section.get(name) if isinstance(section, dict) else None
    if further:
        _from_folder(value, further, folder)
    elif isinstance(value, str) and value:
        section[name] = os.path.abspath(folder / os.path.expanduser(value))


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        values = plain_values(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        if isinstance(error, UnicodeDecodeError):
            reason = "it is not text in UTF-8"
        raise ConfigurationError(
            f"The configuration file {path} cannot be read: {reason}.", {"file": str(path)}
        ) from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigurationError(
            f"The configuration file {path} must hold a mapping of settings.", {"file": str(path)}
        )
    return values


def _default_data_dir(environ: Mapping[str, str]) -> Path:
    # A relative one is to be ignored, says the XDG Base Directory Specification.
    named = Path(environ.get("XDG_DATA_HOME", ""))
    home = named if named.is_absolute() else Path.home() / ".local" / "share"
    return home / "orchestration"


OF_SERVICES = (
    "WHISPER_SERVICE_MODEL",
    "WHISPER_SERVICE_API_KEY",
    "TRANSLATION_SERVICE_API_KEY",
)
"""Variables that go with the URLs of services."""


def _urls(kind: str, environ: Mapping[str, str]) -> Callable[[str], list[dict[str, Any]]]:
    model = _said(environ, "WHISPER_SERVICE_MODEL") if kind == "openai" else None
    key_name = "WHISPER_SERVICE_API_KEY" if kind == "openai" else "TRANSLATION_SERVICE_API_KEY"
    api_key = _said(environ, key_name)

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
    said = ((_said(environ, name), place, parse) for name, place, parse in variables)
    return nested({place: parse(text) for text, place, parse in said if text})


def _said(environ: Mapping[str, str], name: str) -> str:
    """A variable without the white space around it, as the line ends of a file that it came from.

    The API key has all of its own: clients send it as it is.
    """
    text = environ.get(name, "")
    return text if name == API_KEY_VARIABLE else text.strip()


def _is_utf8(text: str) -> bool:
    """Whether a variable's bytes were: others become half surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
