"""What is asked of Google Meet, and what it said of participants, in PostgreSQL."""

from collections.abc import Mapping, Sequence

from orchestration.json_types import JsonValue
from orchestration.meet.roster_changes import KnownParticipant
from orchestration.meet.schedule import MeetJob, Outcome
from orchestration.meet.values import MEETING_CODE_PATTERN, Presence
from orchestration.session.events import iso_utc
from orchestration.session.status import OPEN_STATUSES
from orchestration.storage.pool import Pool, database
from orchestration.storage.stored_text import encode_json, storable_text

# Sessions that are created and over between two looks are found by their age.
ENROL = """
INSERT INTO bot_sessions.google_meet_conferences (session_id, meeting_code, due_at)
SELECT session_id, substring(lower(trim(meeting_id)) FROM $1), to_timestamp($2::bigint / 1000.0)
FROM bot_sessions.sessions
WHERE (status = ANY ($3::text[]) OR created_at > now() - interval '1 hour')
    AND lower(trim(meeting_id)) ~ $1
ON CONFLICT DO NOTHING
"""

LEASE = """
UPDATE bot_sessions.google_meet_conferences SET
    due_at = to_timestamp(($1::bigint + $2::bigint) / 1000.0), updated_at = now()
WHERE session_id IN (
    SELECT session_id FROM bot_sessions.google_meet_conferences
    WHERE phase IN ('following', 'awaiting') AND due_at <= to_timestamp($1::bigint / 1000.0)
    ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED)
RETURNING session_id, meeting_code, phase, attempts
"""

SETTLE = """
UPDATE bot_sessions.google_meet_conferences SET
    phase = $2, due_at = to_timestamp($3::bigint / 1000.0), attempts = $4, detail = $5,
    updated_at = now()
WHERE session_id = $1
"""

NOTE_CONFERENCE = """
UPDATE bot_sessions.sessions SET
    conference_record_id = $2, google_meet_space_id = $3, updated_at = now()
WHERE session_id = $1 AND (conference_record_id, google_meet_space_id) IS DISTINCT FROM ($2, $3)
"""

# An attendee that was made a participant bears the attendee's name as its id.
KNOWN = """
SELECT participant_id, display_name, is_bot, joined_ns IS NOT NULL AS has_joined,
    left_ns IS NOT NULL AS has_left, coalesce(google_participant_id,
    CASE WHEN participant_id LIKE 'conferenceRecords/%' THEN participant_id END) AS meet_id
FROM bot_sessions.participants WHERE session_id = $1 ORDER BY participant_id
"""

LINK = """
UPDATE bot_sessions.participants p SET google_participant_id = given.meet_id, updated_at = now()
FROM unnest($2::text[], $3::text[]) AS given (participant_id, meet_id)
WHERE p.session_id = $1 AND p.participant_id = given.participant_id
"""

NOTE_PRESENCES = """
UPDATE bot_sessions.participants p SET
    google_participant_id = given.meet_id, updated_at = now(),
    participant_metadata =
        p.participant_metadata || jsonb_build_object('google_meet_sessions', given.stays::jsonb)
FROM unnest($2::text[], $3::text[]) AS given (meet_id, stays)
WHERE p.session_id = $1 AND given.meet_id IN (p.google_participant_id, p.participant_id)
"""


class PostgresMeet:
    """`MeetJobs` over a pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def enrol(self, now_ms: int) -> int:
        async with database(self._pool) as connection:
            tag = await connection.execute(ENROL, MEETING_CODE_PATTERN, now_ms, OPEN_STATUSES)
        return int(tag.rpartition(" ")[2])

    async def lease(self, now_ms: int, lease_ms: int, limit: int) -> Sequence[MeetJob]:
        async with database(self._pool) as connection:
            rows = await connection.fetch(LEASE, now_ms, lease_ms, limit)
        return [MeetJob(**dict(row)) for row in rows]

    async def settle(self, session_id: str, outcome: Outcome) -> None:
        async with database(self._pool) as connection, connection.transaction():
            await connection.execute(
                SETTLE,
                session_id,
                outcome.phase,
                outcome.due_ms,
                outcome.attempts,
                storable_text(outcome.detail),
            )
            if outcome.conference is not None:
                await connection.execute(
                    NOTE_CONFERENCE, session_id, outcome.conference, outcome.space
                )

    async def known(self, session_id: str) -> Sequence[KnownParticipant]:
        async with database(self._pool) as connection:
            rows = await connection.fetch(KNOWN, session_id)
        return [
            KnownParticipant(
                participant_id=row["participant_id"],
                name=row["display_name"],
                is_bot=row["is_bot"],
                meet_id=row["meet_id"],
                has_joined=row["has_joined"],
                has_left=row["has_left"],
            )
            for row in rows
        ]

    async def link(self, session_id: str, links: Sequence[tuple[str, str]]) -> None:
        if not links:
            return
        async with database(self._pool) as connection:
            await connection.execute(
                LINK, session_id, [one for one, _ in links], [meet_id for _, meet_id in links]
            )

    async def note_presences(
        self, session_id: str, presences: Mapping[str, Sequence[Presence]]
    ) -> None:
        if not presences:
            return
        async with database(self._pool) as connection:
            await connection.execute(
                NOTE_PRESENCES,
                session_id,
                list(presences),
                [encode_json(_stays(stays)) for stays in presences.values()],
            )


def _stays(stays: Sequence[Presence]) -> list[JsonValue]:
    return [
        {
            "joined": iso_utc(stay.joined_ms),
            "left": None if stay.left_ms is None else iso_utc(stay.left_ms),
        }
        for stay in stays
    ]
