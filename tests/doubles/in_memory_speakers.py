"""The SpeakerArchive port in memory: what is stored is what a test says it is."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

from orchestration.storage.speaker_ports import (
    CorrectionPage,
    CorrelationPage,
    MethodFigures,
    StoredCorrection,
    StoredCorrelation,
    StoredSpeakers,
)
from tests.doubles.cursors import first_row


@dataclass
class SpokenSession:
    """One session's speakers, correlations and corrections."""

    speakers: StoredSpeakers = field(default_factory=lambda: StoredSpeakers([], [], [], [], []))
    corrections: list[StoredCorrection] = field(default_factory=list)
    correlations: list[StoredCorrelation] = field(default_factory=list)
    figures: list[MethodFigures] = field(default_factory=list)


class InMemorySpeakers(ABC):
    """Cursors are places in the lists."""

    @abstractmethod
    def spoken_of(self, session_id: str) -> SpokenSession: ...

    async def speakers(self, session_id: str) -> StoredSpeakers:
        return self.spoken_of(session_id).speakers

    async def speaker_corrections(
        self, session_id: str, limit: int, cursor: str | None
    ) -> CorrectionPage:
        rows, first = self.spoken_of(session_id).corrections, first_row(cursor)
        more = first + limit < len(rows)
        return CorrectionPage(rows[first : first + limit], str(first + limit) if more else None)

    async def correlations(
        self, session_id: str, from_ns: int, to_ns: int, limit: int, cursor: str | None
    ) -> CorrelationPage:
        within = [
            row
            for row in self.spoken_of(session_id).correlations
            if (row.start_ns is None or row.start_ns < to_ns)
            and (row.end_ns is None or row.end_ns > from_ns)
        ]
        first = first_row(cursor)
        more = first + limit < len(within)
        return CorrelationPage(within[first : first + limit], str(first + limit) if more else None)

    async def correlation_figures(self, session_id: str) -> Sequence[MethodFigures]:
        return self.spoken_of(session_id).figures
