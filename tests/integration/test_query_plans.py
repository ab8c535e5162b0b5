"""What is read of one session does not grow with the others: PostgreSQL's own count of rows."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from orchestration.storage import recording_statements, speaker_statements
from orchestration.storage.migrations import migrate
from orchestration.storage.pool import connect
from tests.database import execute, temporary_server

SESSIONS, LINES, VOICES = 40, 500, 100
FILL = f"""
INSERT INTO bot_sessions.sessions (session_id, idempotency_hash)
SELECT 's' || number, '' FROM generate_series(1, {SESSIONS}) number;
INSERT INTO bot_sessions.streams (session_id, stream, encoding, sample_rate, channels)
SELECT session_id, 0, 's16le', 16000, 1 FROM bot_sessions.sessions;
INSERT INTO bot_sessions.transcripts (session_id, transcript_id, stream, revision,
    transcript_text, language_code, start_ns, end_ns, words, speaker_id, speaker_name,
    speaker_confidence, speaker_method)
SELECT session_id, 'l' || line, 0, 1, 'hello', 'en', line, line + 1, '[]', 'p1', 'Ana', 1, 'manual'
FROM bot_sessions.sessions, generate_series(1, {LINES}) line;
INSERT INTO bot_sessions.correlations (correlation_id, session_id, correlation_confidence,
    correlation_type, correlation_method, speaker_id, speaker_name)
SELECT session_id || ':v' || voice, session_id, 1, 'exact', 'manual', 'p1', 'Ana'
FROM bot_sessions.sessions, generate_series(1, {VOICES}) voice;
ANALYZE
"""


FILES = 60
FILL_AUDIO = f"""
UPDATE bot_sessions.sessions SET status = 'completed', end_time = '2026-01-01';
INSERT INTO bot_sessions.audio_files (session_id, stream, first_seq, last_seq, first_sample,
    end_sample, sample_rate, channels, file_size, file_id, file_path, file_name, file_format)
SELECT session_id, 0, file * 9, file * 9 + 8, file * 9, file * 9 + 9, 16000, 1, 1,
    session_id || ':' || file, '', '', 'flac'
FROM bot_sessions.sessions, generate_series(0, {FILES - 1}) file;
INSERT INTO bot_sessions.audio_journal (session_id, stream, seq, first_sample, sample_count,
    content_hash, payload)
SELECT session_id, 0, {FILES * 9} - frame, 0, 1, '', ''
FROM bot_sessions.sessions, generate_series(1, 100) frame;
ANALYZE
"""


@pytest.fixture(scope="module")
def server_dsn() -> Iterator[str]:
    with temporary_server() as dsn:
        yield dsn


def rows_read(plan: dict[str, Any]) -> float:
    """Rows that this node and those below it looked at, also in vain."""
    here = 0.0
    if "Relation Name" in plan:
        at_once = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)
        here = at_once * plan["Actual Loops"]
    return here + sum(rows_read(below) for below in plan.get("Plans", ()))


async def test_a_page_of_correlations_reads_its_own_session_alone(server_dsn: str) -> None:
    await migrate(server_dsn, connect_timeout_s=10)
    await execute(server_dsn, FILL)
    arguments = ("s7", 0, 10**9, -1, "", 151, 0, 5)
    read = await rows_read_by(server_dsn, speaker_statements.CORRELATIONS_PAGE, *arguments)
    # Voices, lines, and the rows that are evidence of lines.
    assert 151 <= read <= LINES + 2 * VOICES


async def test_a_look_for_audio_to_file_or_to_remove_reads_a_row_of_each_kind_for_a_session(
    server_dsn: str,
) -> None:
    await execute(server_dsn, FILL_AUDIO)
    now, looked_at = datetime(2026, 2, 1, tzinfo=UTC), 10
    unfiled = await rows_read_by(
        server_dsn, recording_statements.UNFILED_SESSIONS, now, "", looked_at
    )
    assert looked_at <= unfiled <= SESSIONS + 3 * looked_at
    await execute(server_dsn, "DELETE FROM bot_sessions.audio_files WHERE session_id <> 's1'")
    expired = await rows_read_by(
        server_dsn, recording_statements.EXPIRED_RECORDINGS, now, None, None, looked_at
    )
    assert looked_at <= expired <= SESSIONS + 2 * looked_at


async def rows_read_by(dsn: str, statement: str, *arguments: object) -> float:
    connection = await connect(dsn, connect_timeout_s=10)
    try:
        # The tables of a test are so small that reading a whole one costs less than an index.
        await connection.execute("SET enable_seqscan = off")
        explained = await connection.fetchval(
            f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", *arguments
        )
    finally:
        await connection.close()
    (root,) = json.loads(explained)
    return rows_read(root["Plan"])
