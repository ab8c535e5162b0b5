"""What is said of a transcribed file."""

from datetime import UTC, datetime

import pytest

from orchestration.api.audio_views import upload_result
from orchestration.api.coverage import stream_coverages
from orchestration.storage.archive_ports import StoredSegment
from orchestration.storage.values import SessionRow, SessionSpec, StreamRow
from tests.storage_values import segment, stream_spec

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FILE = SessionRow(SessionSpec("file"), "completed", None, NOW, NOW, 0, None, 1)
STREAM = StreamRow(stream_spec(0), 0, 0, -1, None)


@pytest.mark.parametrize(
    ("lines", "language"),
    [
        (["pt", "en", "en"], "en"),
        (["pt", "en"], "pt"),
        (["", "en"], "en"),
        ([""], None),
        ([], None),
    ],
)
def test_a_file_s_language_is_that_of_most_lines_and_of_equals_the_first(
    lines: list[str], language: str | None
) -> None:
    (coverage,) = stream_coverages([STREAM])
    stored = [StoredSegment(segment(n, language=one), ()) for n, one in enumerate(lines)]
    result = upload_result("file.0", FILE, STREAM, coverage, stored, None, True)
    assert result.processing_result is not None
    assert result.processing_result.language == language
