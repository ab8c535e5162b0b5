"""The layers of settings below the environment, and what makes settings of them all."""

import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from orchestration.config.environment import (
    API_KEY_VARIABLE,
    CONFIG_FILE_VARIABLE,
    variable,
    variables_of,
)
from orchestration.config.merging import merged
from orchestration.config.models import Settings
from orchestration.config.seed_layout import from_seed_layout
from orchestration.config.yaml_text import plain_values
from orchestration.errors import ConfigurationError

PATHS = ("data_dir", "google_meet.credentials_file")
"""Settings that are paths."""


def named_file(environ: Mapping[str, str], config_file: Path | None = None) -> Path | None:
    """`config_file`, else the one that ORCHESTRATION_CONFIG names, else none."""
    named = variable(environ, CONFIG_FILE_VARIABLE)
    return config_file or (Path(named) if named else None)


def lowest_layer(environ: Mapping[str, str]) -> dict[str, Any]:
    """The defaults that depend on the machine; of a user without a home there are none."""
    try:
        return {"data_dir": str(_default_data_dir(environ))}
    except RuntimeError:
        return {}


def validated(*layers: Mapping[str, Any], environment: Mapping[str, Any] | None = None) -> Settings:
    """The settings that the layers add up to; values of `environment`, one of them, are told by the
    names of their variables too.

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
            f"Setting {_told(place, environment or {})}: {reason}"
            for place, reason in zip(places, reasons, strict=True)
        ]
        raise ConfigurationError(
            "\n".join(sentences), {"faults": dict(zip(places, reasons, strict=True))}
        ) from None


def _told(place: str, environment: Mapping[str, Any]) -> str:
    variables = " or ".join(variables_of(place, environment))
    return f"{place} ({variables})" if variables else place


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
