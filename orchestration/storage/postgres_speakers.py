"""Who spoke in a session, and by what evidence, in PostgreSQL."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from orchestration.session.fields import MAX_INTEGER
from orchestration.session.inputs import ParticipantRef
from orchestration.storage import speaker_statements as sql
from orchestration.storage.cursors import cursor_at, place_of
from orchestration.storage.pool import LongReads
from orchestration.storage.rows import Row
from orchestration.storage.speaker_ports import (
    EVIDENCE_AROUND_NS,
    MAX_EVIDENCE,
    MAX_NAMES,
    MAX_SPEAKERS,
    SURE_CONFIDENCE,
    AttendedParticipant,
    CorrectionPage,
    CorrelationPage,
    LabelUse,
    MethodFigures,
    PastName,
    SpokenFigures,
    StoredCorrection,
    StoredCorrelation,
    StoredSpeakers,
)


class PostgresSpeakers:
    """`SpeakerArchive` over a pool."""

    _reads: LongReads

    async def speakers(self, session_id: str) -> StoredSpeakers:
        async with self._reads.session_view(session_id) as connection:
            people = await connection.fetch(sql.ATTENDED, session_id, MAX_SPEAKERS)
            spoken = await connection.fetch(sql.SPOKEN, session_id, SURE_CONFIDENCE)
            labels = await connection.fetch(sql.LABELS, session_id, MAX_SPEAKERS)
            names = await connection.fetch(sql.NAMES, session_id, MAX_NAMES)
            corrections = await connection.fetch(sql.CORRECTIONS, session_id)
        return StoredSpeakers(
            participants=[_attended(row) for row in people],
            spoken=_spoken(spoken)[:MAX_SPEAKERS],
            labels=[LabelUse(**dict(row)) for row in labels],
            names=[PastName(**dict(row)) for row in names],
            corrections=[row["body"] for row in corrections],
        )

    async def speaker_corrections(
        self, session_id: str, limit: int, cursor: str | None
    ) -> CorrectionPage:
        (after,) = (-1,) if cursor is None else place_of(cursor, int)
        async with self._reads.session_view(session_id) as connection:
            rows = await connection.fetch(sql.CORRECTIONS_PAGE, session_id, after, limit + 1)
        items = [StoredCorrection(**dict(row)) for row in rows[:limit]]
        more = len(rows) > limit
        return CorrectionPage(items, cursor_at(items[-1].number) if more else None)

    async def correlations(
        self, session_id: str, from_ns: int, to_ns: int, limit: int, cursor: str | None
    ) -> CorrelationPage:
        place = (-MAX_INTEGER, "") if cursor is None else place_of(cursor, int, str)
        async with self._reads.session_view(session_id) as connection:
            rows = await connection.fetch(
                sql.CORRELATIONS_PAGE,
                session_id,
                from_ns,
                to_ns,
                *place,
                limit + 1,
                EVIDENCE_AROUND_NS,
                MAX_EVIDENCE,
            )
        found = [dict(row) for row in rows[:limit]]
        places = [one.pop("place") for one in found]
        items = [StoredCorrelation(**one) for one in found]
        if len(rows) <= limit:
            return CorrelationPage(items, None)
        return CorrelationPage(items, cursor_at(places[-1], items[-1].correlation_id))

    async def correlation_figures(self, session_id: str) -> Sequence[MethodFigures]:
        async with self._reads.session_view(session_id) as connection:
            rows = await connection.fetch(sql.METHODS, session_id, SURE_CONFIDENCE)
        return [MethodFigures(**dict(row)) for row in rows]


def _attended(row: Row) -> AttendedParticipant:
    participant = ParticipantRef(
        row["participant_id"], row["display_name"], row["email"], row["is_bot"]
    )
    return AttendedParticipant(
        participant, row["google_participant_id"], row["joined_ns"], row["left_ns"]
    )


def _spoken(rows: Sequence[Row]) -> list[SpokenFigures]:
    """Everybody's totals with their methods; who spoke longest comes first."""
    totals: dict[str, dict[str, Any]] = {}
    methods: defaultdict[str, list[MethodFigures]] = defaultdict(list)
    for row in rows:
        fields = dict(row)
        speaker_id, is_total = fields.pop("speaker_id"), fields.pop("is_total")
        who = {key: fields.pop(key) for key in ("name", "first_ns", "last_ns")}
        if is_total:
            spoken = {key: fields[key] for key in ("segments", "words", "speaking_ns")}
            totals[speaker_id] = who | spoken
        else:
            methods[speaker_id].append(MethodFigures(**fields))
    people = [
        SpokenFigures(speaker_id, **total, methods=tuple(methods[speaker_id]))
        for speaker_id, total in totals.items()
    ]
    return sorted(people, key=lambda one: (-one.speaking_ns, one.speaker_id))
