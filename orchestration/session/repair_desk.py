"""When what is lost is heard again: as asked, or by itself when an outage is over."""

from collections.abc import Mapping

from orchestration.errors import EngineRefused, OrchestrationError
from orchestration.session.repairs import NEVER_CAPTURED, Repair, plan_repairs
from orchestration.session.stream_pipeline import StreamPipeline

NOT_BY_OUTAGE = NEVER_CAPTURED | {EngineRefused.code}
"""Why samples are lost that need not be heard again when the engines are back."""


class RepairDesk:
    """What the session's streams have lost though it was captured."""

    def __init__(self, pipelines: Mapping[int, StreamPipeline], max_chunk_ms: int) -> None:
        """`max_chunk_ms` is how much audio one request takes."""
        self.is_under_way = False
        """Lost ranges are being heard again: the session does not complete before that is over."""
        self._pipelines = pipelines
        self._max_chunk_ms = max_chunk_ms
        self._outage_lost = False
        self._is_heard = False

    def apply(self, max_chunk_ms: int) -> None:
        """Requests take so much audio from now on."""
        self._max_chunk_ms = max_chunk_ms

    def restored(self) -> None:
        """The streams are as they were stored: some of an outage's losses may be among them."""
        self._outage_lost = bool(self._of(NOT_BY_OUTAGE))

    def answered(self) -> None:
        """An engine is there."""
        self._is_heard = True

    def chunk_lost(self, error: OrchestrationError) -> None:
        """A chunk was given up for this error."""
        self._outage_lost |= not isinstance(error, EngineRefused)

    def plan(self) -> list[Repair]:
        """What is lost though it was captured, to be heard again."""
        return self._of(NEVER_CAPTURED)

    def due(self) -> list[Repair]:
        """What an outage cost, once an engine has answered again; each outage's losses once."""
        if not self._outage_lost or self.is_under_way or not self._is_heard:
            return []
        self._outage_lost = self._is_heard = False
        return self._of(NOT_BY_OUTAGE)

    def _of(self, hopeless: frozenset[str]) -> list[Repair]:
        return [
            repair
            for stream, pipeline in self._pipelines.items()
            for repair in plan_repairs(
                stream,
                pipeline.coverage.lost_ranges,
                duration=pipeline.coverage.duration,
                sample_rate=pipeline.spec.format.sample_rate,
                max_chunk_ms=self._max_chunk_ms,
                hopeless=hopeless,
            )
        ]
