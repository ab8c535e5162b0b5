"""Cursors come back as they were given, whatever the ids that others chose."""

from hypothesis import example, given
from hypothesis import strategies as st

from orchestration.api.session_data import MAX_CURSOR_CHARACTERS
from orchestration.config.models import IngestSettings
from orchestration.session.fields import MAX_INTEGER
from orchestration.storage.cursors import cursor_at, place_of

LONGEST_ID = IngestSettings().max_name_characters
ids = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=LONGEST_ID)


@given(ids, st.integers(-MAX_INTEGER, MAX_INTEGER))
@example("😀" * LONGEST_ID, -MAX_INTEGER)
def test_a_cursor_is_short_enough_to_come_back_and_says_the_same(row_id: str, at_ns: int) -> None:
    cursor = cursor_at(at_ns, "speaker_intervals", row_id)
    assert len(cursor) <= MAX_CURSOR_CHARACTERS
    assert place_of(cursor, int, str, str) == [at_ns, "speaker_intervals", row_id]
