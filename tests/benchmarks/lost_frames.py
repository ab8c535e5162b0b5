"""Whether PostgreSQL has what was acked."""

from orchestration.storage.pool import connect
from tests.benchmarks.ingest_load import FRAME_SAMPLES, frame_payload
from tests.benchmarks.load_process import LoadReport

NOT_STORED = """
    SELECT count(*) FROM generate_series($2::bigint, $3::bigint) AS sent (seq)
    WHERE NOT EXISTS (SELECT FROM bot_sessions.audio_journal j
            WHERE j.session_id = $1 AND j.stream = 0 AND j.seq = sent.seq)
        AND NOT EXISTS (SELECT FROM bot_sessions.audio_files f
            WHERE f.session_id = $1 AND f.stream = 0
                AND sent.seq BETWEEN f.first_seq AND f.last_seq)
"""
STORED = """
    SELECT seq, first_sample, payload FROM bot_sessions.audio_journal
    WHERE session_id = $1 AND stream = 0 AND seq BETWEEN $2 AND $3
"""


async def lost_frames(dsn: str, report: LoadReport, audio: bytes) -> tuple[int, int]:
    """Acked frames that PostgreSQL has not, neither as rows nor filed; and rows unlike them."""
    missing = altered = 0
    connection = await connect(dsn, connect_timeout_s=10)
    try:
        for session_id, (first, last) in report.ranges.items():
            missing += await connection.fetchval(NOT_STORED, session_id, first, last)
            for stored in await connection.fetch(STORED, session_id, first, last):
                sent = (stored["seq"] * FRAME_SAMPLES, frame_payload(audio, stored["seq"]))
                altered += (stored["first_sample"], stored["payload"]) != sent
    finally:
        await connection.close()
    return missing, altered
