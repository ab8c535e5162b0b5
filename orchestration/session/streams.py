"""A session's streams on its timeline: what arrives is heard, and placed by the clocks."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from orchestration.session.events import seconds
from orchestration.session.ingest_ledger import StreamLedger
from orchestration.session.inputs import Fact, StreamSpec
from orchestration.session.intake import Arrival
from orchestration.session.outbox import Outbox
from orchestration.session.stream_clocks import StreamClocks
from orchestration.session.stream_pipeline import StreamPipeline
from orchestration.session.values import SessionValues
from orchestration.storage.journal_ports import SessionChanges
from orchestration.storage.values import JournalFrame, LossChange, SampleRange, StreamRow
from orchestration.timing.clock import SessionClock
from orchestration.timing.stream_clock import ClockEstimate
from orchestration.transcript.words import Word


class Streams:
    """Every stream's pipeline and clock, and which of them have progress to store."""

    def __init__(
        self,
        ledgers: Mapping[int, StreamLedger],
        clock: SessionClock,
        known_clocks: Mapping[int, ClockEstimate],
        outbox: Outbox,
        audio_began: Callable[[], None],
    ) -> None:
        """`audio_began` is called when the session's time has its zero."""
        self.pipelines: dict[int, StreamPipeline] = {}
        self.ledgers = ledgers
        self.clock = clock
        self._stream_clocks = StreamClocks(clock, outbox.tell, known_clocks)
        self._outbox = outbox
        self._audio_began = audio_began
        self._audio_at_ms: dict[int, int] = {}
        self._changed: set[int] = set()

    def open(self, spec: StreamSpec, values: SessionValues) -> None:
        """A new stream."""
        self.clock.add_stream(spec.stream, spec.format.sample_rate)
        self._add(StreamPipeline(spec, values))

    def restore(self, row: StreamRow, values: SessionValues, committed: Sequence[Word]) -> None:
        """A stream that the session's timeline knows, with the last words that are final."""
        self._add(StreamPipeline(row.spec, values, row.progress, row.lost, committed))

    def apply(self, values: SessionValues) -> None:
        """Each stream takes these values up with its next chunk."""
        for pipeline in self.pipelines.values():
            pipeline.apply(values)

    def reconnected(self) -> None:
        """The sender is there over another connection."""
        self._stream_clocks.reconnected()

    def take(self, fact: Fact) -> None:
        """The stamps of the sender, among its facts."""
        self._stream_clocks.take(fact)

    def arrived(self, arrival: Arrival, now_ms: int) -> None:
        """A durable frame is placed in time."""
        stream = arrival.stream
        self._place(stream, arrival.end_sample, arrival.received_ns)
        self._stream_clocks.arrived(
            stream,
            arrival.end_sample,
            arrival.received_ns,
            lambda: self.pipelines[stream].frontier,
        )
        self._audio_at_ms[stream] = now_ms

    def hear(self, frame: JournalFrame) -> None:
        """A durable frame's audio, after it has arrived."""
        gap = self.pipelines[frame.stream].hear(frame)
        if gap is not None:
            self.lost(frame.stream, gap)

    def replay(self, frame: JournalFrame, now_unix_ns: int) -> None:
        """A journaled frame beyond the frontier, heard again after a restart; it is placed by its
        arrival, or by now where the journal has none."""
        received_ns = now_unix_ns if frame.received_ns is None else frame.received_ns
        self._place(frame.stream, frame.first_sample + frame.sample_count, received_ns)
        self.hear(frame)

    def replayed(self, now_ms: int) -> None:
        """The journal is heard: who was silent before the restart may be so still, and what was
        said last is not to wait for the next audio."""
        self._audio_at_ms = dict.fromkeys(self.pipelines, now_ms)

    def lost(self, stream: int, lost: SampleRange) -> None:
        """Samples have no words: say so."""
        self.changed(stream)
        self._outbox.tell(
            "gap",
            {
                "stream": stream,
                "start": seconds(self.clock.session_ns(stream, lost.start)),
                "end": seconds(self.clock.session_ns(stream, lost.end)),
                "reason": lost.reason,
            },
        )

    def stall_quiet(self, now_ms: int, stall_after_ms: int, give_up_after_ms: int) -> None:
        """Streams whose audio stopped without an end are not waited for: in silence after the one
        time, in mid-speech after the other."""
        for stream, audio_at_ms in list(self._audio_at_ms.items()):
            quiet_ms = now_ms - audio_at_ms
            if quiet_ms >= stall_after_ms:
                is_over = quiet_ms >= give_up_after_ms
                complete = self.ledgers[stream].is_complete
                if complete or self.pipelines[stream].stall(even_in_speech=is_over) or is_over:
                    del self._audio_at_ms[stream]

    @property
    def have_changed(self) -> bool:
        """Whether there is progress to store."""
        return bool(self._changed)

    def changed(self, stream: int) -> None:
        """A stream has progress to store."""
        self._changed.add(stream)

    def all_changed(self) -> None:
        self._changed.update(self.pipelines)

    def with_progress(self, changes: SessionChanges) -> SessionChanges:
        """Frontiers and coverage go in one transaction with whatever follows from them."""
        changed, self._changed = sorted(self._changed), set()
        clocks = self._stream_clocks.drain()
        return replace(
            changes,
            clocks=tuple(clocks.estimates.values()),
            clock_changes=tuple(clocks.changes),
            timeline=tuple(clocks.timeline),
            zero_unix_ms=self.clock.zero_unix_ms,
            streams=tuple(
                self.pipelines[stream].progress(self.clock.settled_offset_ns(stream))
                for stream in changed
            ),
            losses=tuple(
                LossChange(stream, *change)
                for stream in changed
                for change in self.pipelines[stream].coverage.take_loss_changes()
            ),
        )

    def _add(self, pipeline: StreamPipeline) -> None:
        spec = pipeline.spec
        self.pipelines[spec.stream] = pipeline
        self._stream_clocks.add_stream(spec.stream, spec.format.sample_rate)

    def _place(self, stream: int, end_sample: int, received_ns: int) -> None:
        unknown = self.clock.zero_unix_ms is None
        self.clock.audio_arrived(stream, end_sample, received_ns)
        if unknown:
            self._audio_began()
        self.changed(stream)
