"""Stages before whisper: what each does to audio, and that they can be left out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.audio.presets import PRESETS, STAGES, all_stages, resolve_stages
from orchestration.audio.stages import Samples, process, to_pcm, to_samples
from orchestration.errors import BadRequest
from orchestration.json_types import JsonObject
from orchestration.services.ports import ENGINE_SAMPLE_RATE

SECOND = ENGINE_SAMPLE_RATE


def tone(hz: float, level: float = 0.5, seconds: int = 1) -> Samples:
    moments = np.arange(SECOND * seconds) / SECOND
    return np.asarray(level * np.sin(2 * np.pi * hz * moments), dtype=np.float64)


def after(samples: Samples, name: str, **parameters: float) -> Samples:
    setting: JsonObject = {"stages": {name: {"enabled": True, "parameters": dict(parameters)}}}
    return process(samples, resolve_stages(setting))


def rms(samples: Samples) -> float:
    return float(np.sqrt(np.mean(samples[SECOND // 4 : -SECOND // 4] ** 2)))


def test_the_voice_filter_takes_rumble_and_leaves_voice() -> None:
    assert rms(after(tone(30), "voice_filter", low_hz=150)) < 0.1 * rms(tone(30))
    assert rms(after(tone(1000), "voice_filter")) == pytest.approx(rms(tone(1000)), rel=0.05)


def test_noise_reduction_takes_steady_noise_and_leaves_what_stands_out() -> None:
    noise = np.random.default_rng(1).normal(0, 0.05, 2 * SECOND)
    assert rms(after(noise, "noise_reduction", over_subtraction=4)) < 0.4 * rms(noise)
    loud = noise.copy()
    loud[SECOND : SECOND + SECOND // 2] += tone(500)[: SECOND // 2]
    cleaned = after(loud, "noise_reduction")[SECOND + 2000 : SECOND + 6000]
    assert np.sqrt(np.mean(cleaned**2)) > 0.9 * rms(tone(500))


def test_enhancement_lifts_the_consonants() -> None:
    assert rms(after(tone(2500), "voice_enhancement", gain_db=6)) == pytest.approx(
        2 * rms(tone(2500)), rel=0.05
    )


def test_compression_brings_loud_and_quiet_nearer() -> None:
    loud, quiet = tone(300, 0.9), tone(300, 0.01)
    ratio = rms(after(loud, "compression")) / rms(after(quiet, "compression"))
    assert ratio < 0.5 * rms(loud) / rms(quiet)


@given(st.integers(0, 2**32 - 1), st.floats(-24, 0))
@settings(max_examples=30, deadline=None)
def test_nothing_passes_the_limiter_above_its_ceiling(seed: int, ceiling_db: float) -> None:
    rng = np.random.default_rng(seed)
    wild = rng.normal(0, 1, 4000) * rng.choice([0.01, 1, 5], 4000)
    out = after(wild, "limiter", ceiling_db=ceiling_db)
    assert np.abs(out).max() <= 10 ** (ceiling_db / 20) * (1 + 1e-9)


def test_the_voice_gate_turns_down_what_is_no_voice() -> None:
    hiss = np.random.default_rng(2).normal(0, 0.001, 3 * SECOND)
    gated = after(hiss, "vad", aggressiveness=3, floor_db=-30)[SECOND:]
    assert rms(gated) < 0.1 * rms(hiss)


def test_resampling_leaves_what_a_telephone_would() -> None:
    assert rms(after(tone(6000), "resampling", rate_hz=8000)) < 0.05
    assert rms(after(tone(1000), "resampling", rate_hz=8000)) == pytest.approx(
        rms(tone(1000)), rel=0.05
    )


@pytest.mark.parametrize("preset", PRESETS)
@given(seed=st.integers(0, 1000), length=st.integers(0, 9000))
@settings(max_examples=8, deadline=None)
def test_a_preset_gives_as_many_finite_samples_as_it_got(
    preset: str, seed: int, length: int
) -> None:
    samples = np.random.default_rng(seed).normal(0, 0.3, length)
    stages = resolve_stages({"preset": preset})
    out = process(samples, stages)
    assert len(out) == length
    assert np.isfinite(out).all()
    assert [stage.name for stage in stages] == list(PRESETS[preset])


def test_without_stages_audio_is_as_it_came() -> None:
    pcm = np.random.default_rng(3).integers(-32768, 32767, 1000, dtype=np.int16).tobytes()
    assert resolve_stages({}) == ()
    assert to_pcm(to_samples(pcm)) == pcm


def test_gains_stand_before_and_after_a_stage() -> None:
    setting: JsonObject = {
        "stages": {"resampling": {"enabled": True, "gain_in_db": -6, "gain_out_db": 12}}
    }
    out = process(tone(500, 0.1), resolve_stages(setting))
    assert rms(out) == pytest.approx(rms(tone(500, 0.1)) * 10 ** (6 / 20), rel=1e-6)


def test_a_stage_of_a_preset_can_be_turned_off() -> None:
    setting: JsonObject = {"preset": "noisy", "stages": {"noise_reduction": {"enabled": False}}}
    assert [stage.name for stage in resolve_stages(setting)] == ["voice_filter"]
    assert {stage.name for stage in all_stages(setting)} == set(STAGES)


@pytest.mark.parametrize(
    "setting",
    [
        {"preset": "loud"},
        {"stages": {"echo": {}}},
        {"stages": {"limiter": {"parameters": {"ceiling_db": 3}}}},
        {"stages": {"limiter": {"parameters": {"floor_db": 3}}}},
        {"stages": {"limiter": {"gain_in_db": True}}},
        {"stages": {"limiter": {"enabled": "yes"}}},
        {"stages": []},
        "noisy",
        {"further": 1},
    ],
)
def test_a_setting_that_is_not_as_documented_is_refused(setting: JsonObject) -> None:
    with pytest.raises(BadRequest, match="audio"):
        resolve_stages(setting)
