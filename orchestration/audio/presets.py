"""Stages and presets by name: values only, so that every process may read them.

A session's audio setting is JSON: `{"preset": "noisy", "stages": {"limiter": {"enabled": true,
"gain_in_db": 0, "gain_out_db": 0, "parameters": {"ceiling_db": -3}}}}`. The preset comes first;
`stages` change single ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from orchestration.errors import BadRequest
from orchestration.json_types import JsonObject, JsonValue


@dataclass(frozen=True, slots=True)
class Parameter:
    """One number of a stage, with its range and unit."""

    default: float
    least: float
    most: float
    unit: str


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage as it is to run. Gains are before and after it."""

    name: str
    enabled: bool
    gain_in_db: float
    gain_out_db: float
    parameters: tuple[tuple[str, float], ...]


MAX_GAIN_DB = 24.0
"""A stage's own gain lies within plus and minus this; another one is refused."""

STAGES: Mapping[str, Mapping[str, Parameter]] = {
    "vad": {
        "aggressiveness": Parameter(2, 0, 3, "webrtcvad mode"),
        "hold_ms": Parameter(200, 0, 1000, "ms"),
        "floor_db": Parameter(-30, -60, 0, "dB"),
    },
    "voice_filter": {
        "low_hz": Parameter(80, 20, 1000, "Hz"),
        "high_hz": Parameter(7500, 2000, 7900, "Hz"),
        "order": Parameter(2, 1, 6, "of the Butterworth filter"),
    },
    "noise_reduction": {
        "reduction_db": Parameter(12, 0, 40, "dB"),
        "over_subtraction": Parameter(1.5, 0.5, 5, "times the noise"),
        "noise_percentile": Parameter(20, 1, 50, "%"),
    },
    "voice_enhancement": {
        "centre_hz": Parameter(2500, 500, 6000, "Hz"),
        "gain_db": Parameter(4, -12, 12, "dB"),
        "q": Parameter(0.8, 0.1, 10, ""),
    },
    "compression": {
        "threshold_db": Parameter(-24, -60, 0, "dB of full scale"),
        "ratio": Parameter(3, 1, 20, ""),
        "attack_ms": Parameter(5, 1, 200, "ms"),
        "release_ms": Parameter(80, 5, 2000, "ms"),
        "makeup_db": Parameter(0, 0, 24, "dB"),
    },
    "limiter": {
        "ceiling_db": Parameter(-1, -24, 0, "dB of full scale"),
        "lookahead_ms": Parameter(5, 1, 50, "ms"),
    },
    "resampling": {"rate_hz": Parameter(16_000, 8000, 16_000, "Hz")},
}
"""Every stage, in the order in which they run."""

PRESETS: Mapping[str, Mapping[str, Mapping[str, float]]] = {
    "default": {},
    "minimal": {"voice_filter": {"low_hz": 60, "high_hz": 7900}},
    "voice": {"voice_filter": {}, "voice_enhancement": {"gain_db": 3}, "limiter": {}},
    "noisy": {"voice_filter": {"low_hz": 100, "high_hz": 7000}, "noise_reduction": {}},
    "music": {"vad": {"aggressiveness": 3}, "voice_filter": {"low_hz": 150, "high_hz": 6000}},
    "aggressive": {
        "vad": {"aggressiveness": 3},
        "voice_filter": {"low_hz": 150, "high_hz": 6000},
        "noise_reduction": {"reduction_db": 24, "over_subtraction": 2.5},
        "compression": {"makeup_db": 6},
        "limiter": {},
    },
    "conference": {"voice_filter": {}, "compression": {"ratio": 2.5}, "limiter": {}},
    "broadcast": {
        "voice_filter": {"low_hz": 60, "high_hz": 7900},
        "compression": {"threshold_db": -18, "ratio": 4, "makeup_db": 6},
        "limiter": {},
    },
    "interpreter": {
        "voice_filter": {"low_hz": 100},
        "noise_reduction": {"reduction_db": 6},
        "compression": {"threshold_db": -26, "makeup_db": 6},
        "limiter": {},
    },
}
"""Presets: the stages that each turns on, with what differs from their defaults."""


def resolve_stages(setting: JsonValue) -> tuple[Stage, ...]:
    """The enabled stages of an audio setting, in order; empty for audio as it comes.

    Raises:
        BadRequest: an unknown preset, stage or parameter, or a value out of its range.
    """
    return tuple(stage for stage in all_stages(setting) if stage.enabled)


def all_stages(setting: JsonValue) -> tuple[Stage, ...]:
    """Every stage as a setting leaves it; raises as `resolve_stages` does."""
    body = _object(setting, "audio", {"preset", "stages"})
    name = body.get("preset", "default")
    if not isinstance(name, str) or name not in PRESETS:
        raise BadRequest(f"audio.preset is one of {', '.join(PRESETS)}.", {"field": "audio.preset"})
    changes = _object(body.get("stages", {}), "audio.stages", set(STAGES))
    return tuple(
        _stage(stage, PRESETS[name].get(stage), changes.get(stage, {})) for stage in STAGES
    )


def stage_json(stage: Stage) -> JsonObject:
    """A stage in its wire form."""
    return {
        "enabled": stage.enabled,
        "gain_in_db": stage.gain_in_db,
        "gain_out_db": stage.gain_out_db,
        "parameters": dict(stage.parameters),
    }


def _stage(name: str, preset: Mapping[str, float] | None, change: JsonValue) -> Stage:
    where = f"audio.stages.{name}"
    known = {"enabled", "gain_in_db", "gain_out_db", "parameters"}
    own = _object(change, where, known)
    enabled = own.get("enabled", preset is not None)
    if not isinstance(enabled, bool):
        raise BadRequest(f"{where}.enabled is true or false.", {"field": f"{where}.enabled"})
    given = _object(own.get("parameters", {}), f"{where}.parameters", set(STAGES[name]))
    values = {key: one.default for key, one in STAGES[name].items()} | dict(preset or {})
    for key, value in given.items():
        bounds = STAGES[name][key]
        values[key] = _number(value, f"{where}.parameters.{key}", bounds.least, bounds.most)
    gains = [
        _number(own.get(gain, 0), f"{where}.{gain}", -MAX_GAIN_DB, MAX_GAIN_DB)
        for gain in ("gain_in_db", "gain_out_db")
    ]
    return Stage(name, enabled, gains[0], gains[1], tuple(values.items()))


def _object(value: JsonValue, where: str, known: set[str]) -> JsonObject:
    if not isinstance(value, dict):
        raise BadRequest(f"{where} must be a JSON object.", {"field": where})
    for name in value:
        if name not in known:
            raise BadRequest(f"{where}.{name[:100]} is not known.", {"field": where})
    return value


def _number(value: JsonValue, where: str, least: float, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise BadRequest(f"{where} is {least:g} to {most:g}.", {"field": where})
    return float(value)
