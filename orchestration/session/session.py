"""A session without I/O: feed it what comes, drain what is to be done.

Inputs are judged frames and facts, answers of engines, connections that come and go, and time.
`drain` gives one `SessionStep`: changes to store in one transaction before anything is told,
events to tell afterwards, and requests to send. `now_ms` is a monotonic clock in milliseconds;
wall-clock times are arguments of their own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from orchestration.audio.chunker import Chunk
from orchestration.errors import (
    BadAudio,
    BadRequest,
    EngineRefused,
    JsonObject,
    OrchestrationError,
    SessionEnded,
)
from orchestration.services.ports import Hypothesis, TranslationRequest
from orchestration.session.events import (
    NS_PER_SECOND,
    DurableEvent,
    PassingEvent,
    SessionStatus,
    TranslatedText,
    seconds,
    segment_json,
)
from orchestration.session.ingest_ledger import LedgerBatch, StreamLedger
from orchestration.session.inputs import AudioFrame, EndOfStreams, Fact, StreamSpec
from orchestration.session.people import People
from orchestration.session.spoken_languages import SpokenLanguages
from orchestration.session.stream_pipeline import Heard, SpeakerOf, StreamPipeline
from orchestration.session.translation_desk import TranslationDesk
from orchestration.session.values import SessionValues
from orchestration.storage.ports import (
    Claim,
    JournalFrame,
    SampleRange,
    SessionChanges,
    StreamProgress,
    StreamRow,
    TranslationRow,
)
from orchestration.timing.clock import SessionClock
from orchestration.transcript.lines import AttributedWord
from orchestration.transcript.segments import Segment, SpeakerName, TimedWord
from orchestration.transcript.words import Word

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


@dataclass(slots=True)
class Judgement:
    """A batch judged, to be accepted when its frames and facts are durable."""

    batches: dict[int, LedgerBatch] = field(default_factory=dict)
    facts: list[Fact] = field(default_factory=list)
    ends: list[EndOfStreams] = field(default_factory=list)
    error: OrchestrationError | None = None
    """What ended the batch early; everything before it counts."""

    @property
    def frames(self) -> list[JournalFrame]:
        return [frame for batch in self.batches.values() for frame in batch.frames]

    @property
    def last_seqs(self) -> dict[int, int]:
        return {stream: seq for end in self.ends for stream, seq in end.last_seq_by_stream}

    @property
    def nacks(self) -> tuple[tuple[int, int], ...]:
        return tuple(
            (stream, batch.expected)
            for stream, batch in self.batches.items()
            if batch.expected is not None
        )


@dataclass(slots=True)
class _Trouble:
    """A chunk that is not answered."""

    since_ms: int
    failures: int = 0
    refusals: int = 0

    def goes_on(self, error: OrchestrationError, values: SessionValues, now_ms: int) -> bool:
        """Count a failure; whether the chunk is worth another try."""
        self.failures += 1
        if isinstance(error, EngineRefused):
            self.refusals += 1
        waited_ms = now_ms - self.since_ms
        return self.refusals < values.refused_attempts and waited_ms < values.outage_patience_ms


class Session:
    """One meeting: its streams, people, clock, transcript and status."""

    def __init__(self, claim: Claim, values: SessionValues, now_ms: int) -> None:
        spec = claim.session.spec
        self.session_id = spec.session_id
        self.epoch = claim.epoch
        self.status: SessionStatus = claim.session.status
        self.next_fact = claim.next_fact
        self.event_seq = claim.last_event_seq
        self._facts_told = claim.facts_told
        self.ledgers: dict[int, StreamLedger] = {}
        self.pipelines: dict[int, StreamPipeline] = {}
        self._values = values
        self._languages = SpokenLanguages(spec.language)
        self._clock = SessionClock()
        self._people = People(self._clock, values.max_participants)
        self._desk = TranslationDesk(
            spec.session_id, spec.target_languages, values.translation_attempts
        )
        self._segment_counts = dict(claim.segment_counts)
        self._pending_segments: set[int] = set()
        self._orders: list[TranscribeOrder] = []
        self._retry_at_ms: dict[int, int] = {}
        self._troubles: dict[int, _Trouble] = {}
        self._last_fact: int | None = None
        self._idle_since_ms: int | None = now_ms
        self._audio_at_ms: dict[int, int] = {}
        self._next_passing_ms = now_ms
        self._passing: dict[str, PassingEvent] = {}
        self._events: list[DurableEvent] = []
        self._segments: list[Segment] = []
        self._translations: list[TranslationRow] = []
        self._dirty_streams: set[int] = set()
        self._status_changed: str | None = None
        self._status_detail: str | None = None
        self._restore(claim)

    # Connections and streams

    def connected(self, now_ms: int) -> None:
        """A sender is there."""
        self._idle_since_ms = None
        if self.status == "created":
            self._turn("active")

    def disconnected(self, now_ms: int) -> None:
        """The sender is gone; the session waits for it."""
        self._idle_since_ms = now_ms

    def check_stream(self, spec: StreamSpec) -> bool:
        """Whether a stream is new; raises BadAudio when it cannot be opened as described."""
        known = self.ledgers.get(spec.stream)
        if known is not None:
            if known.format != spec.format:
                raise BadAudio(
                    f"Stream {spec.stream} is known with another format; open a new stream.",
                    {
                        "stream": spec.stream,
                        "encoding": known.format.encoding,
                        "sample_rate": known.format.sample_rate,
                        "channels": known.format.channels,
                    },
                )
            return False
        if self.status in ("ending", "abandoned", *TERMINAL):
            raise SessionEnded(
                f"Session {self.session_id} is {self.status} and opens no more streams.",
                {"session_id": self.session_id, "status": self.status},
            )
        if len(self.ledgers) >= self._values.max_streams:
            raise BadAudio(
                f"A session has at most {self._values.max_streams} streams (max_streams).",
                {"max_streams": self._values.max_streams},
            )
        return True

    def open_stream(self, spec: StreamSpec) -> None:
        """Take up a stream that is stored; a known one stays as it is."""
        if spec.stream not in self.ledgers:
            self._add_stream(spec, None)
            self._people.stream_opened(spec)

    # Frames and facts

    def judge(self, items: Sequence[AudioFrame | Fact | EndOfStreams]) -> Judgement:
        """Judge a batch in order without changing anything; stops at the first fatal error."""
        judgement = Judgement()
        try:
            for item in items:
                if isinstance(item, AudioFrame):
                    self._judge_frame(item, judgement)
                elif isinstance(item, EndOfStreams):
                    self._judge_end(item, judgement)
                else:
                    self._judge_fact(item, judgement)
        except OrchestrationError as error:
            judgement.error = error
        return judgement

    def accept(self, judgement: Judgement, received_unix_ms: int, now_ms: int) -> None:
        """What was judged is durable now: hear it."""
        for stream, batch in judgement.batches.items():
            if batch.frames:
                batch.ledger.accept(batch.frames)
                last = batch.frames[-1]
                end_sample = last.first_sample + last.sample_count
                self._audio_arrived(stream, end_sample, received_unix_ms)
                self._audio_at_ms[stream] = now_ms
        for fact in judgement.facts:
            self.next_fact += 1
            self._people.take(fact)
        for frame in judgement.frames:
            self._hear(frame)
        for end in judgement.ends:
            self._take_end(end)
        self._advance(now_ms)

    def end_now(self, now_ms: int) -> dict[int, int]:
        """End where the streams are; returns each stream's last seq, to be stored."""
        for ledger in self.ledgers.values():
            if ledger.last_seq is None or not ledger.is_complete:
                ledger.last_seq = ledger.next_seq - 1
        self._last_fact = self.next_fact - 1
        self._idle_since_ms = None
        if self.status not in ("ending", *TERMINAL):
            self._turn("ending")
        self._advance(now_ms)
        return {stream: ledger.next_seq - 1 for stream, ledger in self.ledgers.items()}

    def must_abandon(self, now_ms: int) -> bool:
        """Whether the session has waited for its sender as long as it may."""
        return (
            self._idle_since_ms is not None
            and self.status in ("created", "active", "delayed")
            and now_ms - self._idle_since_ms >= self._values.abandoned_after_ms
        )

    def abandon(self, now_ms: int) -> dict[int, int]:
        """No sender came back: end as if it had said so. Returns what `end_now` does."""
        self._turn("abandoned", "no bot came back")
        return self.end_now(now_ms)

    # Answers

    def transcribed(self, stream: int, chunk: Chunk, hypothesis: Hypothesis, now_ms: int) -> None:
        """The transcription service answered a chunk. Answers to other chunks are stale."""
        pipeline = self.pipelines[stream]
        if pipeline.in_flight != chunk:
            return
        self._troubles.pop(stream, None)
        self._languages.heard(stream, hypothesis)
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
        trouble = self._troubles.setdefault(stream, _Trouble(since_ms=now_ms))
        if trouble.goes_on(error, self._values, now_ms):
            wait_ms = self._values.retry_ms * 2 ** min(trouble.failures - 1, 16)
            self._retry_at_ms[stream] = now_ms + min(self._values.retry_max_ms, wait_ms)
            return
        del self._troubles[stream]
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
            self._event(
                "alert",
                {
                    "level": "warning",
                    "code": "unsupported_language_pair",
                    "message": f"No translation engine has {request.source} to {request.target}; "
                    "the transcript goes on without it.",
                },
            )
        self._advance(now_ms)

    # Time and output

    def tick(self, now_ms: int) -> None:
        """Let time pass: retries, and what is said once a second."""
        for stream, due_ms in list(self._retry_at_ms.items()):
            chunk = self.pipelines[stream].in_flight
            if due_ms <= now_ms:
                del self._retry_at_ms[stream]
                if chunk is not None:
                    self._order(stream, chunk)
        if self._idle_since_ms is None:
            self._stall_quiet_streams(now_ms)
        if now_ms >= self._next_passing_ms and self.status not in TERMINAL:
            self._next_passing_ms = now_ms + self._values.passing_interval_ms
            self._tell_figures()
        self._advance(now_ms)

    @property
    def lag_ms(self) -> int:
        """How far the transcript is behind the audio, over all streams."""
        return max((one.lag_ms for one in self.pipelines.values()), default=0)

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
            self._event(kind, body)
        facts_told = self._people.told_before(self.next_fact)
        changes = SessionChanges(
            events=tuple(self._events),
            segments=tuple(self._segments),
            translations=tuple(self._translations),
            participants=tuple(people.participants),
            speaker_intervals=tuple(people.intervals),
            streams=self._stream_changes(),
            status=self.status if self._status_changed else None,
            status_detail=self._status_detail if self._status_changed else None,
            zero_unix_ms=self._clock.zero_unix_ms if self._dirty_streams else None,
            facts_told=facts_told if facts_told > self._facts_told else None,
        )
        step = SessionStep(
            changes,
            tuple(self._passing.values()),
            tuple(self._orders),
            tuple(self._desk.due(now_ms)),
        )
        self._facts_told = facts_told
        self._events, self._segments, self._translations = [], [], []
        self._dirty_streams = set()
        self._status_changed = None
        self._passing, self._orders = {}, []
        return step

    # Recovery

    def _restore(self, claim: Claim) -> None:
        offsets_ns: dict[int, int] = {}
        for row in claim.streams:
            ledger = self._add_stream(row.spec, row.progress, _committed_words(claim, row))
            ledger.next_seq, ledger.next_sample = row.next_seq, row.next_sample
            ledger.last_seq = row.last_seq
            self._people.stream_opened(row.spec, replayed=True)
            if row.progress is not None and row.progress.offset_ns is not None:
                offsets_ns[row.spec.stream] = row.progress.offset_ns
        self._clock.restore(claim.session.zero_unix_ms, offsets_ns)
        for segment, target in claim.untranslated:
            self._desk.want(segment, (target,))

    def replay_fact(self, fact: Fact) -> None:
        """A journaled fact, heard again after a restart; what it changed is not told again."""
        self._people.take(fact)
        if fact.fact < self._facts_told:
            self._people.drain()

    def replay_frame(self, frame: JournalFrame, received_unix_ms: int) -> None:
        """A journaled frame beyond the frontier, heard again after a restart."""
        self.ledgers[frame.stream].hashes[frame.seq] = frame.content_hash
        end_sample = frame.first_sample + frame.sample_count
        self._audio_arrived(frame.stream, end_sample, received_unix_ms)
        self._hear(frame)

    def replayed(self, now_ms: int) -> None:
        """The journal is heard: go on."""
        self._advance(now_ms)

    # The parts

    def _add_stream(
        self, spec: StreamSpec, progress: StreamProgress | None, committed: Sequence[Word] = ()
    ) -> StreamLedger:
        ledger = StreamLedger(spec.stream, spec.format)
        self.ledgers[spec.stream] = ledger
        self.pipelines[spec.stream] = StreamPipeline(spec, self._values, progress, committed)
        self._clock.add_stream(spec.stream, spec.format.sample_rate)
        return ledger

    def _judge_frame(self, frame: AudioFrame, judgement: Judgement) -> None:
        ledger = self.ledgers.get(frame.stream)
        if ledger is None:
            raise BadAudio(
                f"Stream {frame.stream} is not open; say `stream` first.", {"stream": frame.stream}
            )
        batch = judgement.batches.get(frame.stream)
        if batch is None:
            batch = judgement.batches[frame.stream] = ledger.batch()
        batch.judge(frame)

    def _judge_fact(self, fact: Fact, judgement: Judgement) -> None:
        expected = self.next_fact + len(judgement.facts)
        if fact.fact > expected:
            raise BadRequest(
                f"Fact {fact.fact} came before fact {expected}.", {"expected": expected}
            )
        if fact.fact == expected:
            judgement.facts.append(fact)

    def _judge_end(self, end: EndOfStreams, judgement: Judgement) -> None:
        for stream, last_seq in end.last_seq_by_stream:
            ledger = self.ledgers.get(stream)
            if ledger is None:
                raise BadAudio(f"Stream {stream} is not open.", {"stream": stream})
            ledger.check_end(last_seq)
        judgement.ends.append(end)

    def _take_end(self, end: EndOfStreams) -> None:
        announced = dict(end.last_seq_by_stream)
        for stream, ledger in self.ledgers.items():
            if ledger.last_seq is None:
                ledger.last_seq = announced.get(stream, ledger.next_seq - 1)
        self._last_fact = end.last_fact
        if self.status in ("created", "active", "delayed"):
            self._turn("ending")

    def _audio_arrived(self, stream: int, end_sample: int, received_unix_ms: int) -> None:
        unknown = self._clock.zero_unix_ms is None
        self._clock.audio_arrived(stream, end_sample, received_unix_ms)
        if unknown:
            self._people.audio_began()
        self._dirty_streams.add(stream)

    def _hear(self, frame: JournalFrame) -> None:
        gap = self.pipelines[frame.stream].hear(frame)
        if gap is not None:
            self._gap(frame.stream, gap)

    def _gap(self, stream: int, lost: SampleRange) -> None:
        self._dirty_streams.add(stream)
        self._event(
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
                self._order(stream, chunk)
        if self.status == "ending" and self._is_finished():
            self._dirty_streams.update(self.pipelines)
            self._turn("completed")
        elif self.status == "active" and self.lag_ms > self._values.delayed_after_ms:
            self._turn("delayed", f"the transcript is {self.lag_ms // 1000} s behind")
        elif self.status == "delayed" and self.lag_ms < self._values.recovered_below_ms:
            self._turn("active")

    def _is_finished(self) -> bool:
        facts_are_in = self._last_fact is None or self.next_fact > self._last_fact
        return (
            facts_are_in
            and self._desk.is_idle
            and all(
                self.ledgers[stream].is_complete and pipeline.is_done
                for stream, pipeline in self.pipelines.items()
            )
        )

    def _order(self, stream: int, chunk: Chunk) -> None:
        prompt = self.pipelines[stream].prompt(chunk)
        self._orders.append(TranscribeOrder(stream, chunk, self._languages.of(stream), prompt))

    def _speaker_of(self, stream: int) -> SpeakerOf:
        def speaker_of(start_sample: int, end_sample: int) -> SpeakerName | None:
            return self._people.roster.speaker_of(
                stream,
                self._clock.session_ns(stream, start_sample),
                self._clock.session_ns(stream, end_sample),
            )

        return speaker_of

    def _publish(self, stream: int, heard: Heard) -> None:
        """New final lines become durable segments; what is pending replaces the old pending."""
        self._dirty_streams.add(stream)
        for line in heard.lines:
            segment = self._segment(stream, line.words)
            self._segment_counts[stream] = self._segment_counts.get(stream, 0) + 1
            self._pending_segments.discard(stream)
            self._segments.append(segment)
            self._event("segment", {"segment": segment_json(segment, "final", self._zero_ms())})
            self._desk.want(segment)
        if heard.pending:
            self._pending_segments.add(stream)
            pending = self._segment(stream, heard.pending)
            body: JsonObject = {"segment": segment_json(pending, "pending", self._zero_ms())}
            self._pass(f"pending:{stream}", "segment", body)
        elif stream in self._pending_segments:
            self._pending_segments.discard(stream)
            body = {"segment_id": self._next_segment_id(stream)}
            self._pass(f"pending:{stream}", "retract", body)

    def _segment(self, stream: int, words: Sequence[AttributedWord]) -> Segment:
        timed = tuple(
            TimedWord(
                one.word.text,
                self._clock.session_ns(stream, one.word.start_sample),
                self._clock.session_ns(stream, one.word.end_sample),
                one.word.probability,
            )
            for one in words
        )
        return Segment(
            segment_id=self._next_segment_id(stream),
            revision=1,
            stream=stream,
            start_ns=timed[0].start_ns,
            end_ns=max(word.end_ns for word in timed),
            speaker=words[0].speaker,
            language=words[0].language,
            words=timed,
        )

    def _next_segment_id(self, stream: int) -> str:
        return f"{self.session_id}:{stream}:{self._segment_counts.get(stream, 0)}"

    def _settle_translation(
        self, request: TranslationRequest, translation: TranslatedText, engine: str
    ) -> None:
        revision = self._desk.settle(request)
        if revision is None:
            return
        self._translations.append(
            TranslationRow(request.segment_id, request.source, translation, engine)
        )
        self._event(
            "translation",
            {
                "segment_id": request.segment_id,
                "language": request.target,
                "text": translation.text,
                "state": translation.state,
                "revision": revision,
            },
        )

    def _stall_quiet_streams(self, now_ms: int) -> None:
        for stream, audio_at_ms in list(self._audio_at_ms.items()):
            if now_ms - audio_at_ms >= self._values.stall_after_ms:
                del self._audio_at_ms[stream]
                if not self.ledgers[stream].is_complete:
                    self.pipelines[stream].stall()

    def _tell_figures(self) -> None:
        if not self.pipelines:
            return
        self._pass("coverage", "coverage", self.coverage_json())
        levels: JsonObject = {
            "streams": [
                {"id": stream, "rms_dbfs": pipeline.level_dbfs()}
                for stream, pipeline in sorted(self.pipelines.items())
            ]
        }
        self._pass("level", "level", levels)
        self._pass("lag", "lag", {"seconds": round(self.lag_ms / 1000, 1)})

    def _stream_changes(self) -> tuple[StreamProgress, ...]:
        return tuple(
            self.pipelines[stream].progress(self._clock.settled_offset_ns(stream))
            for stream in sorted(self._dirty_streams)
        )

    def _turn(self, status: SessionStatus, detail: str | None = None) -> None:
        if status not in TRANSITIONS[self.status]:
            raise AssertionError(f"a session does not go from {self.status} to {status}")
        self.status = status
        self._status_changed = status
        self._status_detail = detail
        self._event("status", {"status": status, "detail": detail})

    def _event(self, kind: str, body: JsonObject) -> None:
        self.event_seq += 1
        self._events.append(DurableEvent(self.event_seq, kind, body))

    def _pass(self, key: str, kind: str, body: JsonObject) -> None:
        self._passing[key] = PassingEvent(key, kind, body)

    def _zero_ms(self) -> int:
        return self._clock.zero_unix_ms or 0


def _committed_words(claim: Claim, row: StreamRow) -> list[Word]:
    """The last final words of a stream, on its own samples."""
    if row.progress is None or row.progress.offset_ns is None:
        return []
    rate, offset_ns = row.spec.format.sample_rate, row.progress.offset_ns

    def sample(session_ns: int) -> int:
        return (session_ns - offset_ns) * rate // NS_PER_SECOND

    return [
        Word(word.text, sample(word.start_ns), sample(word.end_ns), word.probability)
        for segment in claim.recent_segments
        if segment.stream == row.spec.stream
        for word in segment.words
    ]
