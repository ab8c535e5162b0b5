"""Platform names that changed while a session runs, for lines that are no more in memory."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from orchestration.speakers.correlator import Correlator
from orchestration.speakers.repainting import Repainter, present_name
from orchestration.transcript.segments import Segment

RENAME_PAUSE_MS = 2_000
"""Stored lines are renamed at most this often, whatever a platform does with its names: each time
they are read back and rewritten."""


class Renames:
    """Whose stored lines still have an earlier name, and what they are to be called."""

    def __init__(self, correlator: Correlator, repainter: Repainter) -> None:
        """`repainter` has the lines in memory, which are repainted anyway."""
        self._correlator = correlator
        self._repainter = repainter
        self._renamed: set[str] = set()
        self._next_ms = 0

    @property
    def wait(self) -> bool:
        """Whether somebody's stored lines are to be renamed."""
        return bool(self._renamed)

    def renamed(self, participant_id: str) -> None:
        """A participant has another name."""
        self._renamed.add(participant_id)

    def due(self, now_ms: int) -> frozenset[str]:
        """Whose stored lines to read now; they are due until `repaint`."""
        return frozenset(self._renamed) if now_ms >= self._next_ms else frozenset()

    def repaint(
        self, participant_ids: Iterable[str], stored: Sequence[Segment], now_ms: int
    ) -> list[Segment]:
        """Stored segments of these participants that have another name now, at their next
        revision."""
        self._renamed.difference_update(participant_ids)
        self._next_ms = now_ms + RENAME_PAUSE_MS
        in_memory = {segment.segment_id for segment in self._repainter.segments}
        changed = []
        for segment in stored:
            if segment.speaker is None or segment.segment_id in in_memory:
                continue
            speaker = present_name(segment.speaker, self._correlator)
            if speaker != segment.speaker:
                changed.append(replace(segment, revision=segment.revision + 1, speaker=speaker))
        return changed
