"""A session without I/O: feed it what comes, drain what is to be done.

Inputs are judged frames and facts, answers of engines, connections that come and go, and time.
`drain` gives one `SessionStep`: changes to store in one transaction before anything is told,
events to tell afterwards, and requests to send. `now_ms` is a monotonic clock in milliseconds;
wall-clock times are arguments of their own.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from orchestration.audio.chunker import Chunk
from orchestration.audio.presets import Stage
from orchestration.errors import EngineRefused, JsonObject, OrchestrationError, SessionEnded
from orchestration.services.ports import AudioQuality, Hypothesis, TranslationRequest
from orchestration.session.events import (
    PassingEvent,
    SessionStatus,
    TranslatedText,
    seconds,
)
from orchestration.session.ingest_ledger import StreamLedger
from orchestration.session.inputs import (
    AudioFrame,
    EndOfStreams,
    Fact,
    ParticipantSighting,
    StreamSpec,
)
from orchestration.session.intake import Intake, Judgement
from orchestration.session.outbox import Outbox
from orchestration.session.people import People
from orchestration.session.repairs import (
    NEVER_CAPTURED,
    Repair,
    plan_repairs,
    repaired_lines,
)
from orchestration.session.restored_clock import committed_words, restored_clock
from orchestration.session.retries import ChunkRetries
from orchestration.session.segment_writer import SegmentWriter
from orchestration.session.spoken_languages import SpokenLanguages
from orchestration.session.stream_clocks import StreamClocks
from orchestration.session.stream_pipeline import Heard, SpeakerOf, StreamPipeline
from orchestration.session.translation_desk import TranslationDesk
from orchestration.session.values import SessionValues
from orchestration.speakers.corrections import CORRECTED_BY, Correction
from orchestration.storage.ports import (
    ChunkRow,
    Claim,
    JournalFrame,
    QualityRow,
    SampleRange,
    SessionChanges,
    StreamProgress,
    TranslationRow,
)
from orchestration.transcript.segments import Segment, SpeakerName
from orchestration.transcript.words import Word

NOT_BY_OUTAGE = NEVER_CAPTURED | {EngineRefused.code}
"""Why samples are lost that need not be heard again when the engines are back."""

TERMINAL: frozenset[SessionStatus] = frozenset({"completed", "failed"})

TRANSITIONS: Mapping[SessionStatus, frozenset[SessionStatus]] = {
    "created": frozenset({"active", "ending", "abandoned", "failed"}),
    "active": frozenset({"delayed", "ending", "abandoned", "failed"}),
    "delayed": frozenset({"active", "ending", "abandoned", "failed"}),
    "abandoned": frozenset({"ending", "completed", "failed"}),
    "ending": frozenset({"completed", "failed"}),
    "completed": frozenset(),
    "failed": frozenset(),
}
"""The session's states: from each, where it may go."""


@dataclass(frozen=True, slots=True)
class TranscribeOrder:
    """A chunk to send to the transcription service."""

    stream: int
    chunk: Chunk
    language: str | None
    prompt: str


@dataclass(frozen=True, slots=True)
class SessionStep:
    """What is to be done. `changes` are stored first; `passing` are told after them."""

    changes: SessionChanges
    passing: tuple[PassingEvent, ...]
    transcribe: tuple[TranscribeOrder, ...]
    translate: tuple[TranslationRequest, ...]


class Session:
    """One meeting: its streams, people, clock, transcript and status."""

    def __init__(self, claim: Claim, values: SessionValues, now_ms: int) -> None:
        spec = claim.session.spec
        self.session_id = spec.session_id
        self.epoch = claim.epoch
        self.status: SessionStatus = claim.session.status
        self.pipelines: dict[int, StreamPipeline] = {}
        self._values = values
        self._intake = Intake(claim.next_fact, values.max_streams)
        self._outbox = Outbox(claim.last_event_seq)
        self._languages = SpokenLanguages(spec.language)
        self._clock = restored_clock(claim)
        known_clocks = {stream: row.estimate for stream, row in claim.clocks.items()}
        self._stream_clocks = StreamClocks(self._clock, self._outbox.tell, known_clocks)
        self._people = People(self._clock, values.max_participants, values.loopback_names)
        self._facts_told = claim.facts_told
        self._desk = TranslationDesk(
            spec.session_id, spec.target_languages, values.translation_attempts
        )
        self._writer = SegmentWriter(
            spec.session_id,
            self._clock,
            self._outbox,
            dict(claim.segment_counts),
            self._people.named_now,
            self._became_final,
        )
        self._retries = ChunkRetries(values)
        self._orders: list[TranscribeOrder] = []
        self._idle_since_ms: int | None = now_ms
        self._outage_lost = False
        self._is_heard = False
        self._repairing = False
        self._audio_at_ms: dict[int, int] = {}
        self._qualities: dict[int, AudioQuality] = {}
        self._answered_at_ms: dict[int, int] = {}
        self._ordered_at_ms: dict[int, int] = {}
        self._next_passing_ms = now_ms
        self._next_progress_ms = now_ms
        self._dirty_streams: set[int] = set()
        self._restore(claim)

    @property
    def stages(self) -> tuple[Stage, ...]:
        """What audio passes before whisper hears it."""
        return self._values.stages

    @property
    def ledgers(self) -> Mapping[int, StreamLedger]:
        """What is durable, stream by stream."""
        return self._intake.ledgers

    @property
    def next_fact(self) -> int:
        """Facts before this number are durable."""
        return self._intake.next_fact

    def apply(self, values: SessionValues) -> None:
        """Be governed by these values from now on, all of them at once; each stream takes them up
        with its next chunk."""
        self._values = values
        self._retries.apply(values)
        for pipeline in self.pipelines.values():
            pipeline.apply(values)

    # Connections and streams

    def connected(self, now_ms: int) -> None:
        """A sender is there."""
        self._idle_since_ms = None
        self._stream_clocks.reconnected()
        if self.status == "created":
            self._turn("active")

    def disconnected(self, now_ms: int) -> None:
        """The sender is gone; the session waits for it."""
        self._idle_since_ms = now_ms

    def check_stream(self, spec: StreamSpec) -> bool:
        """Whether a stream is new.

        Raises:
            BadAudio: it cannot be opened as described.
            SessionEnded: it is new and the session takes no more.
        """
        is_new = self._intake.is_new(spec)
        if is_new and self.status in ("ending", "abandoned", *TERMINAL):
            raise SessionEnded(
                f"Session {self.session_id} is {self.status} and opens no more streams.",
                {"session_id": self.session_id, "status": self.status},
            )
        return is_new

    def open_stream(self, spec: StreamSpec) -> None:
        """Take up a stream that is stored; a known one stays as it is."""
        if spec.stream not in self.ledgers:
            self._clock.add_stream(spec.stream, spec.format.sample_rate)
            self._add_stream(spec, None)
            self._people.stream_opened(spec)

    # Frames and facts

    def judge(
        self, items: Sequence[AudioFrame | Fact | EndOfStreams], received_ns: Sequence[int]
    ) -> Judgement:
        """Judge a batch in order without changing anything; stops at the first fatal error.

        `received_ns` is when each item reached the service, in Unix nanoseconds.
        """
        return self._intake.judge(items, received_ns)

    def accept(self, judgement: Judgement, now_ms: int) -> None:
        """What was judged is durable now: hear it."""
        self._intake.accept(judgement)
        for fact in judgement.facts:
            # Before the frames, or a step of theirs would find the stamps that explain it missing.
            self._stream_clocks.take(fact)
        for one in judgement.arrivals:
            self._audio_arrived(one.stream, one.end_sample, one.received_ns)
            self._stream_clocks.arrived(
                one.stream, one.end_sample, one.received_ns, self._final_before(one.stream)
            )
            self._audio_at_ms[one.stream] = now_ms
        for fact in judgement.facts:
            self._people.take(fact)
        for frame in judgement.frames:
            self._hear(frame)
        if judgement.ends and self.status in ("created", "active", "delayed"):
            self._turn("ending")
        self._advance(now_ms)

    def end_now(self, now_ms: int) -> dict[int, int]:
        """End where the streams are; returns each stream's last seq, to be stored."""
        self._idle_since_ms = None
        if self.status not in ("ending", *TERMINAL):
            self._turn("ending")
        last_seqs = self._intake.end_here()
        self._advance(now_ms)
        return last_seqs

    def senderless_ms(self, now_ms: int) -> int:
        """How long the session waits for its sender; 0 while one is there, or none is needed."""
        if self._idle_since_ms is None or self.status not in ("created", "active", "delayed"):
            return 0
        return now_ms - self._idle_since_ms

    def must_abandon(self, now_ms: int) -> bool:
        """Whether the session has waited for its sender as long as it may."""
        waits = self.status in ("created", "active", "delayed") or (
            self.status == "ending" and not self._intake.is_complete
        )
        return (
            waits
            and self._idle_since_ms is not None
            and now_ms - self._idle_since_ms >= self._values.abandoned_after_ms
        )

    def abandon(self, now_ms: int) -> dict[int, int]:
        """No sender came back: end as if it had said so. Returns what `end_now` does."""
        if self.status != "ending":
            self._turn("abandoned", "no bot came back")
        return self.end_now(now_ms)

    # Answers

    def transcribed(self, stream: int, chunk: Chunk, hypothesis: Hypothesis, now_ms: int) -> None:
        """The transcription service answered a chunk. Answers to other chunks are stale."""
        pipeline = self.pipelines[stream]
        if pipeline.in_flight != chunk:
            return
        self._outbox.add_chunk(self._chunk_row(stream, chunk, now_ms, hypothesis))
        self._retries.answered(stream)
        self._answered_at_ms[stream] = now_ms
        self._is_heard = True
        self._languages.heard(stream, hypothesis)
        if hypothesis.quality is not None:
            self._qualities[stream] = hypothesis.quality
            row = QualityRow(stream, chunk.start, chunk.end, hypothesis.quality)
            self._outbox.add_quality(row)
        self._clock.settle(stream)
        self._publish(stream, pipeline.answered(chunk, hypothesis, self._speaker_of(stream)))
        self._advance(now_ms)

    def transcription_failed(
        self, stream: int, chunk: Chunk, error: OrchestrationError, now_ms: int
    ) -> None:
        """A chunk was not answered: again later, as long as that makes sense."""
        pipeline = self.pipelines[stream]
        if pipeline.in_flight != chunk:
            return
        row = self._chunk_row(stream, chunk, now_ms, None)
        if self._retries.failed(stream, error, now_ms):
            return
        self._outbox.add_chunk(row)
        self._outage_lost |= not isinstance(error, EngineRefused)
        self._clock.settle(stream)
        heard, lost = pipeline.given_up(chunk, error.code, self._speaker_of(stream))
        self._publish(stream, heard)
        self._gap(stream, lost)
        self._advance(now_ms)

    def translated(self, request: TranslationRequest, text: str, engine: str, now_ms: int) -> None:
        """A translation came."""
        self._settle_translation(request, TranslatedText(request.target, text, "final"), engine)
        self._advance(now_ms)

    def translation_failed(
        self, request: TranslationRequest, error: OrchestrationError, now_ms: int
    ) -> None:
        """A try of a translation failed."""
        if self._desk.failed(request, now_ms):
            failed = TranslatedText(request.target, "", "failed")
            self._settle_translation(request, failed, "")
        self._advance(now_ms)

    def translation_unsupported(self, request: TranslationRequest, now_ms: int) -> None:
        """No engine has this pair: said once, then never asked again."""
        if self._desk.unsupported(request):
            self.alert(
                "warning",
                "unsupported_language_pair",
                f"No translation engine has {request.source} to {request.target}; "
                "the transcript goes on without it.",
            )
        self._advance(now_ms)

    def alert(self, level: str, code: str, message: str) -> None:
        """Something that whoever watches the session should know."""
        self._outbox.tell("alert", {"level": level, "code": code, "message": message})

    def correct(
        self,
        correction: Correction | None,
        stored: Sequence[Segment],
        corrected_by: str = CORRECTED_BY,
    ) -> int:
        """Somebody says who spoke; `stored` are the session's final segments.

        Without a correction the evidence there is names them anew.

        Returns how many segments that repaints. Raises as `People.correct` does.
        """
        repainted = self._people.correct(correction, stored, corrected_by)
        self._outbox.repaint(repainted)
        return len(repainted)

    def voices_in(self, stream: int) -> int | None:
        """How many people can be heard in a stream, None while nobody knows."""
        return self._people.voices_in(stream)

    def language_of(self, stream: int) -> str | None:
        """The language to hear a stream in, None while it is open."""
        return self._languages.of(stream)

    def plan_repairs(self) -> list[Repair]:
        """What is lost though it was captured, to be heard again."""
        return self._repairs_of(NEVER_CAPTURED)

    def due_repairs(self) -> list[Repair]:
        """What an outage cost, once an engine has answered again; each outage's losses once."""
        if not self._outage_lost or self._repairing or not self._is_heard:
            return []
        self._outage_lost = self._is_heard = False
        return self._repairs_of(NOT_BY_OUTAGE)

    def repairs_begin(self) -> None:
        """Lost ranges are being heard again: the session does not complete before it is over."""
        self._repairing = True

    def repairs_end(self, now_ms: int) -> None:
        """What could be heard again has been."""
        self._repairing = False
        self._advance(now_ms)

    def _repairs_of(self, hopeless: frozenset[str]) -> list[Repair]:
        return [
            repair
            for stream, pipeline in self.pipelines.items()
            for repair in plan_repairs(
                stream,
                pipeline.coverage.lost_ranges,
                duration=pipeline.coverage.duration,
                sample_rate=pipeline.spec.format.sample_rate,
                max_chunk_ms=self._values.chunking.max_chunk_ms,
                hopeless=hopeless,
            )
        ]

    def repaired(self, repair: Repair, hypothesis: Hypothesis) -> None:
        """A lost range is heard after all: its lines are corrections of the transcript."""
        stream, pipeline = repair.stream, self.pipelines[repair.stream]
        self._clock.settle(stream)
        rate = pipeline.spec.format.sample_rate
        for line in repaired_lines(repair, hypothesis, rate, self._speaker_of(stream)):
            self._writer.add_final(stream, line, corrected=True)
        pipeline.coverage.repaired(repair.lost.start, repair.lost.end)
        self._dirty_streams.add(stream)

    def sighted(self, sightings: Sequence[ParticipantSighting]) -> None:
        """The platform's own records tell who is there."""
        for sighting in sightings:
            self._people.sighted(sighting)

    # Time and output

    def tick(self, now_ms: int) -> None:
        """Let time pass: retries, and what is said once a second."""
        for stream in self._retries.due(now_ms):
            chunk = self.pipelines[stream].in_flight
            if chunk is not None:
                self._order(stream, chunk, now_ms)
        if self._idle_since_ms is None:
            self._stall_quiet_streams(now_ms)
        self._force_stalled_words(now_ms)
        if now_ms >= self._next_passing_ms and self.status not in TERMINAL:
            self._next_passing_ms = now_ms + self._values.passing_interval_ms
            self._tell_figures()
        self._advance(now_ms)

    @property
    def zero_unix_ms(self) -> int | None:
        """The wall clock at session time zero; None before any audio."""
        return self._clock.zero_unix_ms

    @property
    def lag_ms(self) -> int:
        """How far the transcript is behind the audio, over all streams."""
        return max((one.lag_ms for one in self.pipelines.values()), default=0)

    @property
    def queues(self) -> Mapping[str, int]:
        """What waits for an engine, calls under way included."""
        return {
            "chunks_waiting": sum(one.chunks_waiting for one in self.pipelines.values()),
            "translations_waiting": self._desk.waiting,
        }

    @property
    def oddities(self) -> Mapping[str, int]:
        """What was left out or mended in this incarnation, over all streams: words not believed,
        samples that were not finite or beyond full scale."""
        pipelines = self.pipelines.values()
        return {
            "dropped_words": sum(one.dropped_hallucinations for one in pipelines),
            "non_finite_samples": sum(one.non_finite_samples for one in pipelines),
            "clipped_samples": sum(one.clipped_samples for one in pipelines),
        }

    @property
    def window(self) -> int:
        """Unacked frames a stream may have under way."""
        return self._values.window_frames

    def coverage_json(self) -> JsonObject:
        """The fate of every sample, stream by stream."""
        return {
            "streams": [
                pipeline.coverage.to_json(stream)
                for stream, pipeline in sorted(self.pipelines.items())
            ]
        }

    def drain(self, now_ms: int) -> SessionStep:
        """Everything to do since the last call."""
        people = self._people.drain()
        for kind, body in people.events:
            self._outbox.tell(kind, body)
        self._outbox.repaint(self._people.repainted())
        facts_told = self._people.told_before(self.next_fact)
        changes, passing = self._outbox.drain(
            participants=tuple(people.participants),
            speaker_intervals=tuple(people.intervals),
            corrections=tuple(people.corrections),
            correlations=tuple(people.correlations),
            facts_told=facts_told if facts_told > self._facts_told else None,
        )
        is_due = now_ms >= self._next_progress_ms or self.status in TERMINAL
        if self._dirty_streams and (is_due or not changes.is_empty()):
            self._next_progress_ms = now_ms + self._values.passing_interval_ms
            changes = self._with_progress(changes)
        orders, self._orders = tuple(self._orders), []
        self._facts_told = facts_told
        return SessionStep(changes, passing, orders, tuple(self._desk.due(now_ms)))

    def _with_progress(self, changes: SessionChanges) -> SessionChanges:
        """Frontiers and coverage go in one transaction with whatever follows from them."""
        dirty, self._dirty_streams = sorted(self._dirty_streams), set()
        clocks = self._stream_clocks.drain()
        return replace(
            changes,
            clocks=tuple(clocks.estimates.values()),
            clock_changes=tuple(clocks.changes),
            timeline=tuple(clocks.timeline),
            zero_unix_ms=self._clock.zero_unix_ms,
            streams=tuple(
                self.pipelines[stream].progress(self._clock.settled_offset_ns(stream))
                for stream in dirty
            ),
        )

    # Recovery

    def _restore(self, claim: Claim) -> None:
        for row in claim.streams:
            words = committed_words(claim, row, self._clock)
            ledger = self._add_stream(row.spec, row.progress, words)
            ledger.next_seq, ledger.next_sample = row.next_seq, row.next_sample
            ledger.last_seq = row.last_seq
            self._people.stream_opened(row.spec, replayed=True)
        self._outage_lost = bool(self._repairs_of(NOT_BY_OUTAGE))
        self._people.restore(claim.corrections, claim.participants)
        for segment in claim.repaintable:
            self._people.became_final(segment)
        for segment, target in claim.untranslated:
            self._desk.want(segment, (target,))

    def replay_fact(self, fact: Fact) -> None:
        """A journaled fact, heard again after a restart; what it changed is not told again."""
        self._stream_clocks.take(fact)
        self._people.take(fact)
        if fact.fact < self._facts_told:
            self._people.drain()

    def replay_frame(self, frame: JournalFrame, received_ns: int) -> None:
        """A journaled frame beyond the frontier, heard again after a restart."""
        self.ledgers[frame.stream].hashes[frame.seq] = frame.content_hash
        end_sample = frame.first_sample + frame.sample_count
        self._audio_arrived(frame.stream, end_sample, received_ns)
        self._hear(frame)

    def replayed(self, now_ms: int) -> None:
        """The journal is heard: go on."""
        self._people.correlator.scan()
        self._advance(now_ms)

    # The parts

    def _add_stream(
        self, spec: StreamSpec, progress: StreamProgress | None, committed: Sequence[Word] = ()
    ) -> StreamLedger:
        self.pipelines[spec.stream] = StreamPipeline(spec, self._values, progress, committed)
        self._stream_clocks.add_stream(spec.stream, spec.format.sample_rate)
        return self._intake.add(spec)

    def _final_before(self, stream: int) -> Callable[[], int]:
        return lambda: self.pipelines[stream].frontier

    def _audio_arrived(self, stream: int, end_sample: int, received_ns: int) -> None:
        unknown = self._clock.zero_unix_ms is None
        self._clock.audio_arrived(stream, end_sample, received_ns)
        if unknown:
            self._people.audio_began()
        self._dirty_streams.add(stream)

    def _hear(self, frame: JournalFrame) -> None:
        gap = self.pipelines[frame.stream].hear(frame)
        if gap is not None:
            self._gap(frame.stream, gap)

    def _gap(self, stream: int, lost: SampleRange) -> None:
        self._dirty_streams.add(stream)
        self._outbox.tell(
            "gap",
            {
                "stream": stream,
                "start": seconds(self._clock.session_ns(stream, lost.start)),
                "end": seconds(self._clock.session_ns(stream, lost.end)),
                "reason": lost.reason,
            },
        )

    def _advance(self, now_ms: int) -> None:
        """Everything that follows by itself: ends, next chunks, status."""
        for stream, pipeline in self.pipelines.items():
            if self.ledgers[stream].is_complete:
                pipeline.end()
            under_way = pipeline.in_flight is not None
            chunk = pipeline.next_chunk()
            if chunk is not None and not under_way:
                self._order(stream, chunk, now_ms)
        if self.status == "ending" and self._is_finished():
            self._dirty_streams.update(self.pipelines)
            # Viewers go when they hear of the end: the last names come before it.
            self._people.correlator.scan()
            self._outbox.repaint(self._people.repainted())
            self._turn("completed")
        elif self.status == "active" and self.lag_ms > self._values.delayed_after_ms:
            self._turn("delayed", f"the transcript is {self.lag_ms // 1000} s behind")
        elif self.status == "delayed" and self.lag_ms < self._values.recovered_below_ms:
            self._turn("active")

    def _is_finished(self) -> bool:
        return (
            self._intake.is_complete
            and self._desk.is_idle
            and not self._repairing
            and all(pipeline.is_done for pipeline in self.pipelines.values())
        )

    def _order(self, stream: int, chunk: Chunk, now_ms: int) -> None:
        self._ordered_at_ms[stream] = now_ms
        prompt = self.pipelines[stream].prompt(chunk)
        self._orders.append(TranscribeOrder(stream, chunk, self._languages.of(stream), prompt))

    def _chunk_row(
        self, stream: int, chunk: Chunk, now_ms: int, hypothesis: Hypothesis | None
    ) -> ChunkRow:
        segments = () if hypothesis is None else hypothesis.segments
        return ChunkRow(
            stream=stream,
            start=chunk.start,
            end=chunk.end,
            outcome="lost" if hypothesis is None else "heard",
            engine="" if hypothesis is None else hypothesis.engine,
            language="" if hypothesis is None else hypothesis.language,
            words=sum(len(segment.words) for segment in segments),
            attempts=self._retries.failures(stream) + 1,
            latency_ms=max(0, now_ms - self._ordered_at_ms.get(stream, now_ms)),
        )

    def _speaker_of(self, stream: int) -> SpeakerOf:
        def speaker_of(word: Word) -> SpeakerName | None:
            return self._people.speaker_of(
                stream,
                self._clock.session_ns(stream, word.start_sample),
                self._clock.session_ns(stream, word.end_sample),
                word.label,
            )

        return speaker_of

    def _publish(self, stream: int, heard: Heard) -> None:
        self._dirty_streams.add(stream)
        self._writer.publish(stream, heard)

    def _became_final(self, segment: Segment) -> None:
        """Final words are to be translated, and tell when somebody was heard."""
        self._desk.want(segment)
        self._people.became_final(segment)

    def _settle_translation(
        self, request: TranslationRequest, translation: TranslatedText, engine: str
    ) -> None:
        revision = self._desk.settle(request)
        if revision is not None:
            row = TranslationRow(request.segment_id, request.source, translation, engine)
            self._outbox.add_translation(row, revision)

    def _stall_quiet_streams(self, now_ms: int) -> None:
        for stream, audio_at_ms in list(self._audio_at_ms.items()):
            if now_ms - audio_at_ms >= self._values.stall_after_ms:
                del self._audio_at_ms[stream]
                if not self.ledgers[stream].is_complete:
                    self.pipelines[stream].stall()

    def _force_stalled_words(self, now_ms: int) -> None:
        for stream, answered_at_ms in list(self._answered_at_ms.items()):
            if now_ms - answered_at_ms >= self._values.force_commit_after_ms:
                del self._answered_at_ms[stream]
                pipeline = self.pipelines[stream]
                if pipeline.has_open_words:
                    self._publish(stream, pipeline.force_commit(self._speaker_of(stream)))

    def _tell_figures(self) -> None:
        if not self.pipelines:
            return
        self._outbox.tell_in_passing("coverage", "coverage", self.coverage_json())
        levels: JsonObject = {
            "streams": [
                {"id": stream, "rms_dbfs": pipeline.level_dbfs(), **self._quality_json(stream)}
                for stream, pipeline in sorted(self.pipelines.items())
            ]
        }
        self._outbox.tell_in_passing("level", "level", levels)
        self._outbox.tell_in_passing("lag", "lag", {"seconds": round(self.lag_ms / 1000, 1)})

    def _quality_json(self, stream: int) -> JsonObject:
        """The last answered chunk's quality, once there is one."""
        quality = self._qualities.get(stream)
        if quality is None:
            return {}
        return {
            "quality": quality.score,
            "snr_db": quality.snr_db,
            "speech_ratio": quality.speech_ratio,
            "clipped_ratio": quality.clipped_ratio,
        }

    def _turn(self, status: SessionStatus, detail: str | None = None) -> None:
        if status not in TRANSITIONS[self.status]:
            raise AssertionError(f"a session does not go from {self.status} to {status}")
        self.status = status
        self._outbox.set_status(status, detail)
