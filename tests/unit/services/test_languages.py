import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.services.languages import UNDETERMINED, normalise_language


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("en", "en"),
        ("EN", "en"),
        ("pt-BR", "pt"),
        ("pt_PT", "pt"),
        ("zh-Hans", "zh"),
        ("english", "en"),
        ("Portuguese", "pt"),
        ("Haitian Creole", "ht"),
        ("iw", "he"),
        ("jw", "jv"),
        ("nb-NO", "no"),
        ("yue", "yue"),
        ("", UNDETERMINED),
        ("  ", UNDETERMINED),
    ],
)
def test_names_regions_and_old_codes_become_base_codes(written: str, code: str) -> None:
    assert normalise_language(written) == code


@given(st.text(max_size=20))
def test_normalising_again_changes_nothing(written: str) -> None:
    once = normalise_language(written)
    assert normalise_language(once) == once
