from pathlib import Path

import pytest

from orchestration.errors import ModelMissing
from orchestration.services.whisper_models import locate_model


@pytest.mark.parametrize("name", ["nonsense", "/no/folder", "./models", "~/models", "a/b/c"])
def test_a_model_that_nobody_knows_is_refused_before_anything_starts(
    name: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelMissing, match="is no folder here, and no model"):
        locate_model(name, tmp_path)


@pytest.mark.parametrize("name", ["large-v3-turbo", "Systran/faster-whisper-small"])
def test_names_that_faster_whisper_may_fetch_are_left_to_it(name: str, tmp_path: Path) -> None:
    assert locate_model(name, tmp_path) == name
