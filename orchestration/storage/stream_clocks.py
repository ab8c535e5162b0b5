"""The clocks of streams in PostgreSQL."""

from collections.abc import Mapping, Sequence

from orchestration.storage.journal_ports import SessionChanges
from orchestration.storage.pool import Connection
from orchestration.storage.values import ClockChangeRow, StreamClockRow, TimelineRow
from orchestration.timing.stream_clock import ChangeKind, ClockChange, ClockEstimate
from orchestration.timing.stream_timeline import MAX_PIECES, TimelinePiece

STORE_ESTIMATES = """
INSERT INTO bot_sessions.stream_clocks (session_id, stream, at_sample, rate_ppm, rate_error_ppm,
    offset_ns, offset_error_ns)
SELECT $1, * FROM unnest($2::integer[], $3::bigint[], $4::float8[], $5::float8[], $6::bigint[],
    $7::bigint[])
ON CONFLICT (session_id, stream) DO UPDATE SET
    at_sample = excluded.at_sample, rate_ppm = excluded.rate_ppm,
    rate_error_ppm = excluded.rate_error_ppm, offset_ns = excluded.offset_ns,
    offset_error_ns = excluded.offset_error_ns, updated_at = now()
"""

STORE_CHANGES = """
INSERT INTO bot_sessions.clock_changes (session_id, stream, at_sample, kind, step_ns)
SELECT $1, * FROM unnest($2::integer[], $3::bigint[], $4::text[], $5::bigint[])
ON CONFLICT DO NOTHING
"""

# A piece from whose sample on no word became final gives way to the next.
STORE_PIECES = """
INSERT INTO bot_sessions.timeline_pieces (session_id, stream, from_sample, at_ns, floor_ns,
    rate_ppb)
SELECT $1, * FROM unnest($2::integer[], $3::bigint[], $4::bigint[], $5::bigint[], $6::integer[])
ON CONFLICT (session_id, stream, from_sample) DO UPDATE SET
    at_ns = excluded.at_ns, floor_ns = excluded.floor_ns, rate_ppb = excluded.rate_ppb
"""

ESTIMATES = "SELECT * FROM bot_sessions.stream_clocks WHERE session_id = $1 ORDER BY stream"

LAST_CHANGES = """
SELECT stream, at_sample, kind, step_ns FROM bot_sessions.clock_changes
WHERE session_id = $1 ORDER BY created_at DESC, stream, at_sample LIMIT $2
"""

LAST_PIECES = """
SELECT last.*
FROM bot_sessions.streams s
CROSS JOIN LATERAL (
    SELECT piece.* FROM bot_sessions.timeline_pieces piece
    WHERE piece.session_id = s.session_id AND piece.stream = s.stream
    ORDER BY piece.from_sample DESC LIMIT $2
) last
WHERE s.session_id = $1
ORDER BY last.stream, last.from_sample
"""


async def store_clocks(connection: Connection, session_id: str, changes: SessionChanges) -> None:
    """What a step says of its streams' clocks."""
    if changes.clocks:
        estimates = [row.estimate for row in changes.clocks]
        await connection.execute(
            STORE_ESTIMATES,
            session_id,
            [row.stream for row in changes.clocks],
            [row.at_sample for row in changes.clocks],
            [one.rate_ppm for one in estimates],
            [one.rate_error_ppm for one in estimates],
            [one.offset_ns for one in estimates],
            [one.offset_error_ns for one in estimates],
        )
    if changes.clock_changes:
        await connection.execute(
            STORE_CHANGES,
            session_id,
            [row.stream for row in changes.clock_changes],
            [row.change.at_sample for row in changes.clock_changes],
            [str(row.change.kind) for row in changes.clock_changes],
            [row.change.step_ns for row in changes.clock_changes],
        )
    # A statement can write a row only once: of two pieces from one sample the later stands.
    kept = {(row.stream, row.piece.from_sample): row.piece for row in changes.timeline}
    if kept:
        await connection.execute(
            STORE_PIECES,
            session_id,
            [stream for stream, _ in kept],
            [from_sample for _, from_sample in kept],
            [piece.at_ns for piece in kept.values()],
            [piece.floor_ns for piece in kept.values()],
            [piece.rate_ppb for piece in kept.values()],
        )


async def read_estimates(connection: Connection, session_id: str) -> Mapping[int, StreamClockRow]:
    """The latest estimate of each stream that has one."""
    return {
        row["stream"]: StreamClockRow(
            row["stream"],
            row["at_sample"],
            ClockEstimate(
                row["rate_ppm"], row["rate_error_ppm"], row["offset_ns"], row["offset_error_ns"]
            ),
        )
        for row in await connection.fetch(ESTIMATES, session_id)
    }


async def read_changes(
    connection: Connection, session_id: str, limit: int
) -> Sequence[ClockChangeRow]:
    """The last `limit` changes, in order of stream and sample."""
    rows = await connection.fetch(LAST_CHANGES, session_id, limit)
    changes = [
        ClockChangeRow(
            row["stream"], ClockChange(ChangeKind(row["kind"]), row["at_sample"], row["step_ns"])
        )
        for row in rows
    ]
    return sorted(changes, key=lambda one: (one.stream, one.change.at_sample))


async def read_timeline(connection: Connection, session_id: str) -> Sequence[TimelineRow]:
    """The last pieces of each stream, in order of stream and sample."""
    return [
        TimelineRow(
            row["stream"],
            TimelinePiece(row["from_sample"], row["at_ns"], row["floor_ns"], row["rate_ppb"]),
        )
        for row in await connection.fetch(LAST_PIECES, session_id, MAX_PIECES - 1)
    ]
