"""What is read of one session does not grow with the others: PostgreSQL's own count of rows."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from orchestration.storage import speaker_statements
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


@pytest.fixture(scope="module")
def server_dsn() -> Iterator[str]:
    with temporary_server() as dsn:
        yield dsn


def rows_read(plan: dict[str, Any]) -> int:
    """Rows that this node and those below it looked at, also in vain."""
    here = 0
    if "Relation Name" in plan:
        here = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)
    return here + sum(rows_read(below) for below in plan.get("Plans", ()))


async def test_a_page_of_correlations_reads_its_own_session_alone(server_dsn: str) -> None:
    await migrate(server_dsn, connect_timeout_s=10)
    await execute(server_dsn, FILL)
    connection = await connect(server_dsn, connect_timeout_s=10)
    try:
        explained = await connection.fetchval(
            f"EXPLAIN (ANALYZE, FORMAT JSON) {speaker_statements.CORRELATIONS_PAGE}",
            *("s7", 0, 10**9, -1, "", 151, 0, 5),
        )
    finally:
        await connection.close()
    (root,) = json.loads(explained)
    # Voices, lines, and the rows that are evidence of lines.
    assert 151 <= rows_read(root["Plan"]) <= LINES + 2 * VOICES
