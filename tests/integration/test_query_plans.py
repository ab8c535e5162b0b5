"""What is read of one session does not grow with the others: PostgreSQL's own count of rows."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from orchestration.storage import data_statements
from orchestration.storage.migrations import migrate
from orchestration.storage.pool import connect
from tests.database import execute, temporary_server

SESSIONS, LINES = 40, 500
FILL = f"""
INSERT INTO bot_sessions.sessions (session_id, idempotency_hash)
SELECT 's' || number, '' FROM generate_series(1, {SESSIONS}) number;
INSERT INTO bot_sessions.correlations (correlation_id, session_id, correlation_confidence,
    correlation_type, correlation_method, start_timestamp, end_timestamp)
SELECT session_id || ':' || line, session_id, 1, 'exact', 'manual', line, line + 1
FROM bot_sessions.sessions, generate_series(1, {LINES}) line;
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
            f"EXPLAIN (ANALYZE, FORMAT JSON) {data_statements.CORRELATIONS_PAGE}",
            *("s7", -1.0, 1e9, "", 51),
        )
    finally:
        await connection.close()
    (root,) = json.loads(explained)
    assert 51 <= rows_read(root["Plan"]) <= LINES
