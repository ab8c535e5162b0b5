"""What settings are read from, layer by layer, so that they can be read again while running."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from orchestration.config.environment import environment_layer
from orchestration.config.loader import (
    check_safe,
    file_layer,
    lowest_layer,
    named_file,
    validated,
)
from orchestration.config.merging import merged
from orchestration.config.models import Settings

POOLS = ("whisper", "translation")


@dataclass(frozen=True, slots=True)
class Layers:
    """Defaults of this machine, the file, the environment; a later one wins.

    The environment is that of the process that started the service, and stays as it was.
    """

    defaults: Mapping[str, Any]
    config_file: Path | None
    in_file: Mapping[str, Any]
    environment: Mapping[str, Any]

    @classmethod
    def read(cls, environ: Mapping[str, str], config_file: Path | None = None) -> "Layers":
        """Read them, as `load_settings` does.

        Raises:
            ConfigurationError: the file or a variable is malformed.
        """
        path = named_file(environ, config_file)
        return cls(
            lowest_layer(environ),
            None if path is None else path.absolute(),
            file_layer(path)[0] if path else {},
            environment_layer(environ),
        )

    @classmethod
    def of(cls, settings: Settings) -> "Layers":
        """Settings that come from elsewhere, whole."""
        return cls(settings.model_dump(mode="json"), None, {}, {})

    def with_file_read_again(self) -> "Layers":
        """The same with what the file says now.

        Raises:
            ConfigurationError: the file cannot be read, or holds no mapping.
        """
        if self.config_file is None:
            return self
        return replace(self, in_file=file_layer(self.config_file)[0])

    def with_database(self, dsn: str) -> "Layers":
        """The same with the database that is there, whatever the layers say."""
        return replace(self, environment=merged(self.environment, {"database": {"url": dsn}}))

    def settings(self, overrides: Mapping[str, Any] | None = None) -> Settings:
        """The settings they add up to, with `overrides` on top.

        A service that the overrides name without a key has the key of its URL below them.

        Raises:
            ConfigurationError: names every value that does not fit, and why.
        """
        below = merged(self.defaults, self.in_file, self.environment)
        # With overrides the variables have stood the start, and are not what is wrong.
        environment = {} if overrides else self.environment
        settings = validated(below, _with_keys(overrides or {}, below), environment=environment)
        check_safe(settings)
        return settings


def load_settings(environ: Mapping[str, str], config_file: Path | None = None) -> Settings:
    """The settings that defaults, file and environment add up to.

    The file is `config_file`, else the one that ORCHESTRATION_CONFIG names, else none.

    Raises:
        ConfigurationError: a value is malformed, unknown or unsafe; the message names it.
    """
    return Layers.read(environ, config_file).settings()


def digest(settings: Settings) -> str:
    """What tells these settings from others: SHA-256 in hexadecimal."""
    text = json.dumps(settings.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _with_keys(overrides: Mapping[str, Any], below: Mapping[str, Any]) -> dict[str, Any]:
    services = overrides.get("services")
    if not isinstance(services, Mapping):
        return dict(overrides)
    known = below.get("services")
    given = {
        pool: [_with_key(one, _keys(known, pool)) for one in services[pool]]
        for pool in POOLS
        if isinstance(services.get(pool), list)
    }
    return {**overrides, "services": {**services, **given}}


def _with_key(upstream: Any, keys: Mapping[Any, Any]) -> Any:
    if not isinstance(upstream, Mapping) or upstream.get("api_key"):
        return upstream
    key = keys.get(str(upstream.get("url")))
    return {**upstream, "api_key": key} if key else upstream


def _keys(services: Any, pool: str) -> dict[str, str]:
    upstreams = services.get(pool) if isinstance(services, Mapping) else None
    return {
        str(one.get("url")): one["api_key"]
        for one in upstreams or ()
        if isinstance(one, Mapping) and one.get("api_key")
    }
