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
        self._is_under_way = False
        self._next_ms = 0

    @property
    def wait(self) -> bool:
        """Whether somebody's stored lines are still to be renamed."""
        return bool(self._renamed) or self._is_under_way

    def renamed(self, participant_id: str) -> None:
        """A participant has another name."""
        self._renamed.add(participant_id)

    def begin(self, now_ms: int) -> frozenset[str]:
        """Whose stored lines to read now, page by page; then `end`."""
        if self._is_under_way or now_ms < self._next_ms:
            return frozenset()
        due, self._renamed = frozenset(self._renamed), set()
        self._is_under_way = bool(due)
        return due

    def end(self, left: Iterable[str], now_ms: int) -> None:
        """Their lines are renamed, but for those who are `left`."""
        self._renamed.update(left)
        self._is_under_way = False
        self._next_ms = now_ms + RENAME_PAUSE_MS

    def repaint(self, stored: Sequence[Segment]) -> list[Segment]:
        """Those of the stored segments that have another name now, at their next revision."""
        in_memory = {segment.segment_id for segment in self._repainter.segments}
        changed = []
        for segment in stored:
            if segment.speaker is None or segment.segment_id in in_memory:
                continue
            speaker = present_name(segment.speaker, self._correlator)
            if speaker != segment.speaker:
                changed.append(replace(segment, revision=segment.revision + 1, speaker=speaker))
        return changed
