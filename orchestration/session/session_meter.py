"""What a session counts and measures of itself: sums for its whole node, never by session."""

from collections.abc import Sequence

from orchestration.metrics import catalogue
from orchestration.metrics.meter import Meter
from orchestration.session.exchange import IngestReply
from orchestration.session.session import Session
from orchestration.storage.journal_ports import SessionChanges
from orchestration.storage.values import JournalFrame
from orchestration.timing.units import NS_PER_MS

FATES = ("transcribed", "silent", "lost")


class SessionMeter:
    """One incarnation's; what an earlier one has counted is not counted again."""

    def __init__(self, meter: Meter, session: Session) -> None:
        self._meter = meter
        self._session = session
        self._under_way = {"transcribe": 0, "translate": 0}
        self._counted_s = self._fates_s()

    def batch_stored(
        self, frames: Sequence[JournalFrame], reply: IngestReply, elapsed_s: float
    ) -> None:
        """A sender's batch is durable and about to be answered."""
        if frames:
            self._meter.count(catalogue.FRAMES, len(frames))
            self._meter.count(catalogue.FRAME_BYTES, sum(len(one.payload) for one in frames))
            self._meter.observe(catalogue.STORE_SECONDS, elapsed_s, "append")
        if reply.acks:
            self._meter.count(catalogue.ACKS, len(reply.acks))
        if reply.nacks:
            self._meter.count(catalogue.NACKS, len(reply.nacks))

    def committed(self, changes: SessionChanges, elapsed_s: float, now_unix_ms: int) -> None:
        """A step is durable. Lines of audio that came faster than it was spoken say nothing of
        delay, and are left out."""
        self._meter.observe(catalogue.STORE_SECONDS, elapsed_s, "commit")
        zero_unix_ms = self._session.zero_unix_ms
        if zero_unix_ms is None:
            return
        for segment in changes.segments:
            delay_ms = now_unix_ms - zero_unix_ms - segment.end_ns // NS_PER_MS
            if delay_ms >= 0:
                self._meter.observe(catalogue.LINE_COMMIT_SECONDS, delay_ms / 1000)

    def commit_repeated(self) -> None:
        self._meter.count(catalogue.STORE_RETRIES)

    def ended(self, status: str) -> None:
        self._meter.count(catalogue.SESSIONS_ENDED, 1, status)

    def chunk_stage(self, stage: str, elapsed_s: float) -> None:
        self._meter.observe(catalogue.CHUNK_SECONDS, elapsed_s, stage)

    def request_begins(self, kind: str) -> None:
        self._under_way[kind] += 1

    def chunk_answered(self, result: str) -> None:
        self._under_way["transcribe"] -= 1
        self._meter.count(catalogue.CHUNKS, 1, result)

    def line_answered(self, result: str, elapsed_s: float) -> None:
        self._under_way["translate"] -= 1
        self._meter.count(catalogue.TRANSLATIONS, 1, result)
        if result == "translated":
            self._meter.observe(catalogue.TRANSLATION_SECONDS, elapsed_s)

    def sample(self, *, is_over: bool) -> None:
        """How the session stands: called before each report, not at each frame. An incarnation
        that is over waits for nothing, whatever it has left."""
        for fate, now_s in self._fates_s().items():
            # Lost audio that is heard later is less lost than it was; counters only rise.
            if now_s > self._counted_s[fate]:
                self._meter.count(catalogue.AUDIO_SECONDS, now_s - self._counted_s[fate], fate)
                self._counted_s[fate] = now_s
        if is_over:
            return
        self._meter.set(catalogue.JOURNAL_LAG_SECONDS, self._session.figures.lag_ms / 1000)
        for kind, requests in self._under_way.items():
            self._meter.set(catalogue.ENGINE_REQUESTS, requests, kind)

    def _fates_s(self) -> dict[str, float]:
        sums = dict.fromkeys(FATES, 0.0)
        for pipeline in self._session.pipelines.values():
            totals = pipeline.coverage.totals()
            rate = pipeline.spec.format.sample_rate
            sums["transcribed"] += totals.transcribed / rate
            sums["silent"] += totals.silent / rate
            sums["lost"] += totals.lost / rate
        return sums
