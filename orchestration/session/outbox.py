"""What a session has to store and to tell, gathered until the next drain."""

from collections.abc import Sequence
from dataclasses import replace

from orchestration.json_types import JsonObject
from orchestration.session.events import DurableEvent, PassingEvent, speaker_json
from orchestration.session.status import SessionStatus
from orchestration.storage.journal_ports import SessionChanges
from orchestration.storage.values import (
    ChunkRow,
    CorrectionRow,
    CorrelationRow,
    ParticipantRow,
    QualityRow,
    SpeakerIntervalRow,
    TranslationRow,
)
from orchestration.transcript.segments import Segment

MAX_REPAINTED = 500
"""Segments that one `speaker` event repaints; more take several events."""


class Outbox:
    """Numbers durable events, and keeps the newest passing event of each key."""

    def __init__(self, last_seq: int) -> None:
        self._seq = last_seq
        self._clear()

    def _clear(self) -> None:
        self._events: list[DurableEvent] = []
        self._segments: list[Segment] = []
        self._translations: list[TranslationRow] = []
        self._qualities: list[QualityRow] = []
        self._chunks: list[ChunkRow] = []
        self._status: SessionStatus | None = None
        self._status_detail: str | None = None
        self._passing: dict[str, PassingEvent] = {}

    def tell(self, kind: str, body: JsonObject) -> None:
        """A durable event."""
        self._seq += 1
        self._events.append(DurableEvent(self._seq, kind, body))

    def alert(self, level: str, code: str, message: str) -> None:
        """Something that whoever watches the session should know."""
        self.tell("alert", {"level": level, "code": code, "message": message})

    def tell_languages(self, language: str | None, targets: Sequence[str]) -> None:
        """Which language is heard, None whichever it is, and which lines are translated to."""
        self.tell("session", {"language": language, "target_languages": [*targets]})

    def tell_in_passing(self, key: str, kind: str, body: JsonObject) -> None:
        """A passing event; it replaces an untold one of its key."""
        self._passing[key] = PassingEvent(key, kind, body)

    def add_segment(self, segment: Segment, body: JsonObject) -> None:
        """A final segment and its event."""
        self._segments.append(segment)
        self.tell("segment", body)

    def repaint(self, segments: Sequence[Segment]) -> None:
        """Final segments with other names, at their next revisions: an event for each name."""
        by_name: dict[tuple[str, ...] | None, list[Segment]] = {}
        for segment in segments:
            one = segment.speaker
            key = (one.speaker_id, one.name, one.method) if one else None
            by_name.setdefault(key, []).append(segment)
        for named in by_name.values():
            for at in range(0, len(named), MAX_REPAINTED):
                self._repaint_alike(named[at : at + MAX_REPAINTED])

    def _repaint_alike(self, segments: Sequence[Segment]) -> None:
        sure = [one.speaker for one in segments if one.speaker is not None]
        # One event says one confidence: that of the segment that is least sure.
        speaker = min(sure, key=lambda one: one.confidence) if sure else None
        self._segments += [replace(segment, speaker=speaker) for segment in segments]
        body: JsonObject = {
            "speaker": speaker_json(speaker) if speaker else None,
            "segments": [
                {"segment_id": segment.segment_id, "revision": segment.revision}
                for segment in segments
            ],
        }
        self.tell("speaker", body)

    def add_translation(self, row: TranslationRow, revision: int) -> None:
        """A settled translation and its event."""
        self._translations.append(row)
        self.tell(
            "translation",
            {
                "segment_id": row.segment_id,
                "language": row.translation.language,
                "text": row.translation.text,
                "state": row.translation.state,
                "revision": revision,
            },
        )

    @property
    def translated(self) -> frozenset[tuple[str, str]]:
        """Ids and languages of the lines whose translation is not drained yet."""
        return frozenset((row.segment_id, row.translation.language) for row in self._translations)

    def add_quality(self, row: QualityRow) -> None:
        """How good the audio of a chunk was."""
        self._qualities.append(row)

    def add_chunk(self, row: ChunkRow) -> None:
        """What became of a chunk."""
        self._chunks.append(row)

    def set_status(self, status: SessionStatus, detail: str | None) -> None:
        """A new status and its event."""
        self._status, self._status_detail = status, detail
        self.tell("status", {"status": status, "detail": detail})

    def drain(
        self,
        *,
        participants: tuple[ParticipantRow, ...],
        speaker_intervals: tuple[SpeakerIntervalRow, ...],
        facts_told: int | None,
        corrections: tuple[CorrectionRow, ...] = (),
        correlations: tuple[CorrelationRow, ...] = (),
    ) -> tuple[SessionChanges, tuple[PassingEvent, ...]]:
        """Everything since the last call, with what others add to it."""
        changes = SessionChanges(
            events=tuple(self._events),
            segments=tuple(self._segments),
            translations=tuple(self._translations),
            qualities=tuple(self._qualities),
            chunks=tuple(self._chunks),
            participants=participants,
            speaker_intervals=speaker_intervals,
            corrections=corrections,
            correlations=correlations,
            status=self._status,
            status_detail=self._status_detail,
            facts_told=facts_told,
        )
        passing = tuple(self._passing.values())
        self._clear()
        return changes, passing
