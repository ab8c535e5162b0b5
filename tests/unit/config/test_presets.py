"""The presets are settings that a service takes."""

from pathlib import Path

import pytest

from orchestration.config.layers import load_settings
from orchestration.config.models import ChunkingSettings

CONFIGS = Path(__file__).parents[3] / "configs"
PRESETS = sorted((CONFIGS / "presets").glob("*.yaml"))


def test_there_are_presets() -> None:
    assert {preset.stem for preset in PRESETS} >= {"live", "economical", "careful"}


@pytest.mark.parametrize("preset", PRESETS, ids=lambda path: path.stem)
def test_a_preset_is_a_configuration_that_a_service_starts_with(preset: Path) -> None:
    settings = load_settings({"ORCHESTRATION_DATA_DIR": "/data"}, preset)
    assert settings.data_dir == Path("/data")


def test_the_live_preset_is_the_default() -> None:
    live = load_settings({"ORCHESTRATION_DATA_DIR": "/data"}, CONFIGS / "presets" / "live.yaml")
    assert live.sessions.chunking == ChunkingSettings()


def test_the_economical_preset_sends_each_second_fewer_times_than_the_default() -> None:
    preset = CONFIGS / "presets" / "economical.yaml"
    economical = load_settings({"ORCHESTRATION_DATA_DIR": "/data"}, preset).sessions.chunking
    assert _times_sent(economical) < _times_sent(ChunkingSettings())


def _times_sent(chunking: ChunkingSettings) -> float:
    """How often whisper hears a second of long speech."""
    return chunking.chunk_ms / (chunking.chunk_ms - chunking.overlap_ms)
