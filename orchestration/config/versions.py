"""Versions of the settings: what changes, by whom, and what holds when a change is bad. Pure.

What is stored of a version are overrides: values that lie over defaults, file and environment. A
change is a JSON merge patch (RFC 7396) of the overrides: an object is patched key by key, null
takes an override away, anything else is taken whole.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from orchestration.config.differences import Difference, differences, without_secrets
from orchestration.config.layers import POOLS, Layers, digest
from orchestration.config.merging import leaves, nested
from orchestration.config.models import Settings
from orchestration.config.reach import rule_for
from orchestration.config.secrets import HIDDEN, SECRETS, has_password
from orchestration.errors import ConfigurationError, SettingsRefused
from orchestration.json_types import JsonObject


@dataclass(frozen=True, slots=True)
class SettingsVersion:
    """Settings as they were changed once. `digest` is of the settings that hold with it."""

    number: int
    overrides: JsonObject
    changed_by: str
    changed_unix_ms: int
    comment: str
    differences: tuple[Difference, ...]
    digest: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change that would do: what is stored, what holds then, and what that changes."""

    layers: Layers
    overrides: JsonObject
    settings: Settings
    differences: tuple[Difference, ...]
    after_restart: tuple[Difference, ...]
    """What file and environment say otherwise, but takes a start of the service."""

    @property
    def digest(self) -> str:
        return digest(self.settings)


class SettingsBook:
    """The settings that hold, and what they come from. They only change whole, by `take`."""

    def __init__(self, layers: Layers) -> None:
        """Raises ConfigurationError unless the layers alone make settings."""
        self._started = layers.settings()
        self.in_force = Proposal(layers, {}, self._started, (), ())

    @property
    def settings(self) -> Settings:
        return self.in_force.settings

    def take(self, proposal: Proposal) -> None:
        """From now on this holds."""
        self.in_force = proposal

    def patched(self, patch: JsonObject) -> Proposal:
        """The overrides with a merge patch.

        Raises:
            SettingsRefused: the result would not do, or a value may not be changed so.
        """
        kept, faults = _allowed(patch, self.settings)
        return self.over(merge_patched(self.in_force.overrides, kept), faults)

    def replaced(self, overrides: JsonObject) -> Proposal:
        """Other overrides in place of all.

        Raises:
            SettingsRefused: they would not do, or a value may not be changed so.
        """
        below = self._proposal(self.in_force.layers, {}).settings
        kept, faults = _allowed(overrides, below)
        return self.over(merge_patched({}, kept), faults)

    def reset(self, places: Iterable[str] | None) -> Proposal:
        """Without the overrides at these places and below, or without any.

        Raises:
            SettingsRefused: what is left would not do, or there is no such override.
        """
        if places is None:
            return self.over({})
        present = dict(leaves(self.in_force.overrides))
        kept, faults = dict(present), {}
        for place in places:
            below = [one for one in present if one == place or one.startswith(f"{place}.")]
            if not below:
                faults[place] = "Nothing is stored there that could be reset."
            for one in below:
                kept.pop(one, None)
        return self.over(nested(kept), faults)

    def over(self, overrides: JsonObject, faults: Mapping[str, str] | None = None) -> Proposal:
        """These overrides over the present layers.

        Raises:
            SettingsRefused: with all `faults`, those given included.
        """
        found = dict(faults or {})
        try:
            proposal = self._proposal(self.in_force.layers, overrides)
        except ConfigurationError as error:
            found |= faults_of(error)
        if found:
            raise refused(found)
        return proposal

    def with_layers(self, layers: Layers) -> Proposal:
        """The present overrides over other layers.

        Raises:
            SettingsRefused: they do not add up.
        """
        try:
            return self._proposal(layers, self.in_force.overrides)
        except ConfigurationError as error:
            raise refused(faults_of(error)) from None

    def _proposal(self, layers: Layers, overrides: JsonObject) -> Proposal:
        wanted = layers.settings(overrides)
        settings = _held_back(self._started, wanted)
        _check_pools(self._started, settings)
        return Proposal(
            layers,
            overrides,
            settings,
            differences(self.settings, settings),
            differences(settings, wanted),
        )


def _allowed(patch: JsonObject, holding: Settings) -> tuple[JsonObject, dict[str, str]]:
    """The patch without what only repeats what holds, and the faults of the rest."""
    held = dict(leaves(holding.model_dump(mode="json")))
    shown = dict(leaves(without_secrets(holding)))
    kept: dict[str, Any] = {}
    faults = {name: "No setting has a dot in its name." for name in _dotted(patch)}
    if faults:
        return {}, faults
    for place, value in leaves(patch):
        rule = rule_for(place)
        if place in held and value is not None and value in (held[place], shown[place]):
            continue
        if rule.reach == "restart" and place in held:
            if value is not None:
                faults[place] = (
                    f"It takes a restart ({rule.why}): set it in the configuration file or the "
                    "environment."
                )
            continue
        kept[place] = _without_hidden(value)
        if not _is_finite(value):
            faults[place] = "A number must be finite."
        if _has_secret(kept[place]):
            faults[place] = (
                "Secrets are not stored with changes: set them in the configuration file or "
                "the environment. A service keeps the key of its URL."
            )
    # What is no mapping of settings, like a section given as a number, is told by the models.
    return nested(kept), faults


def merge_patched(overrides: Mapping[str, Any], patch: Mapping[str, Any]) -> JsonObject:
    """RFC 7396, without mappings that come out empty."""
    result: JsonObject = dict(overrides)
    for name, value in patch.items():
        if isinstance(value, Mapping):
            below = result.get(name)
            inner = merge_patched(below if isinstance(below, Mapping) else {}, value)
            if inner:
                result[name] = inner
            else:
                result.pop(name, None)
        elif value is None:
            result.pop(name, None)
        else:
            result[name] = value
    return result


def faults_of(error: ConfigurationError | SettingsRefused) -> dict[str, str]:
    """What does not fit, by its place."""
    faults = error.facts.get("faults")
    if isinstance(faults, dict):
        return {name: str(why) for name, why in faults.items()}
    return {"settings": error.message}


def refused(faults: Mapping[str, str]) -> SettingsRefused:
    """One error for all faults."""
    sentences = [f"Setting {place}: {why}" for place, why in faults.items()]
    return SettingsRefused("\n".join(sentences), {"faults": dict(faults)})


def _held_back(started: Settings, wanted: Settings) -> Settings:
    """What is wanted, but for what takes a restart."""
    before = dict(leaves(started.model_dump(mode="json")))
    values = dict(leaves(wanted.model_dump(mode="json")))
    for place in values:
        if rule_for(place).reach == "restart":
            values[place] = before[place]
    return Settings.model_validate(nested(values))


def _check_pools(started: Settings, settings: Settings) -> None:
    faults = {}
    for pool in POOLS:
        embeds = f"embeds_{pool}"
        if getattr(settings.services, embeds) and not getattr(started.services, embeds):
            faults[f"services.{pool}"] = (
                "The embedded engine was not deployed: it takes a restart to have it serve."
            )
    if faults:
        raise ConfigurationError("\n".join(faults.values()), {"faults": dict(faults)})


def _dotted(patch: Mapping[str, Any]) -> list[str]:
    inner = [name for one in patch.values() if isinstance(one, Mapping) for name in _dotted(one)]
    return [*(name for name in patch if "." in name or not name), *inner]


def _without_hidden(value: Any) -> Any:
    """A list as it was shown, without the marks for what was hidden."""
    if isinstance(value, list):
        return [_without_hidden(one) for one in value]
    if isinstance(value, Mapping):
        return {
            name: _without_hidden(inner)
            for name, inner in value.items()
            if not (name in SECRETS and inner in (HIDDEN, None))
        }
    return value


def _is_finite(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(_is_finite(inner) for inner in value.values())
    if isinstance(value, list):
        return all(_is_finite(inner) for inner in value)
    return not isinstance(value, float) or math.isfinite(value)


def _has_secret(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(name in SECRETS or _has_secret(inner) for name, inner in value.items())
    if isinstance(value, list):
        return any(_has_secret(inner) for inner in value)
    return isinstance(value, str) and has_password(value)
