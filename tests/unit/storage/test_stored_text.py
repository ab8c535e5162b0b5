"""What becomes of text that PostgreSQL cannot hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.errors import BadRequest
from orchestration.json_types import JsonValue
from orchestration.storage.stored_text import decode_json, encode_json, storable_json, storable_text

ANY_TEXT = st.text(st.characters(exclude_categories=()))
ANY_JSON: st.SearchStrategy[JsonValue] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | ANY_TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(ANY_TEXT, inner),
    max_leaves=10,
)  # fmt: skip


@given(ANY_TEXT)
def test_text_keeps_its_length_and_all_that_can_be_stored(text: str) -> None:
    stored = storable_text(text)
    stored.encode()
    assert len(stored) == len(text)
    for before, after in zip(text, stored, strict=True):
        unstorable = before == "\0" or 0xD800 <= ord(before) <= 0xDFFF
        assert after == ("\ufffd" if unstorable else before)


@given(ANY_JSON)
def test_json_has_nothing_in_it_that_cannot_be_stored(value: JsonValue) -> None:
    text = encode_json(value)
    text.encode()
    stored = decode_json(text)
    assert storable_json(stored) == stored
    assert decode_json(encode_json(stored)) == stored


@pytest.mark.parametrize("text", ["", "olá", "👩‍👩‍👧", "\\u0000", "\\ud83d", "\u202e\x01"])
def test_json_keeps_what_can_be_stored(text: str) -> None:
    assert decode_json(encode_json({text: [text, {"deep": text}]})) == {
        text: [text, {"deep": text}]
    }


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_not_finite_is_refused(number: float) -> None:
    with pytest.raises(BadRequest):
        encode_json({"at": number})
