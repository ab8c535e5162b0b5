"""A session without I/O: feed it what comes, drain what is to be done.

Inputs are judged frames and facts, answers of engines, connections that come and go, and time.
`drain` gives one `SessionStep`: changes to store in one transaction before anything is told,
events to tell afterwards, and requests to send. `now_ms` is a monotonic clock in milliseconds;
wall-clock times are arguments of their own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestration.audio.chunker import Chunk
from orchestration.audio.presets import Stage
from orchestration.errors import OrchestrationError, SessionEnded
from orchestration.services.ports import Hypothesis, TranslationRequest
from orchestration.session.events import PassingEvent
from orchestration.session.figures import SessionFigures
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
from orchestration.session.renames import Renames
from orchestration.session.repair_desk import RepairDesk
from orchestration.session.repairs import Repair
from orchestration.session.restored_clock import committed_words, restored_clock
from orchestration.session.segment_writer import SegmentWriter
from orchestration.session.sender_presence import SenderPresence
from orchestration.session.status import TAKING_AUDIO, TERMINAL, SessionStatus, StatusMachine
from orchestration.session.stream_pipeline import StreamPipeline
from orchestration.session.streams import Streams
from orchestration.session.transcription import TranscribeOrder, Transcription
from orchestration.session.translation_desk import TranslationDesk
from orchestration.session.translations import Translations
from orchestration.session.values import SessionValues
from orchestration.speakers.corrections import CORRECTED_BY, Correction
from orchestration.storage.journal_ports import Claim, SessionChanges
from orchestration.storage.values import JournalFrame
from orchestration.transcript.segments import Segment


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
        self._values = values
        self._intake = Intake(claim.next_fact, values.max_streams, claim.last_fact)
        self._outbox = Outbox(claim.last_event_seq)
        self._status = StatusMachine(claim.session.status, self._outbox.set_status)
        clock = restored_clock(claim)
        self._people = People(clock, values.max_participants, values.loopback_names)
        known_clocks = {stream: row.estimate for stream, row in claim.clocks.items()}
        self._streams = Streams(
            self._intake.ledgers, clock, known_clocks, self._outbox, self._people.audio_began
        )
        self.repairs = RepairDesk(self._streams.pipelines, values.chunking.max_chunk_ms)
        """What is lost though it was captured; when that is heard again, and whether it is."""
        self._facts_told = claim.facts_told
        desk = TranslationDesk(
            spec.session_id,
            spec.target_languages,
            values.translation_attempts,
            values.translation_patience_ms,
        )
        self.translations = Translations(desk, self._outbox)
        """What is asked of the translation service, and what its answers become."""
        writer = SegmentWriter(
            spec.session_id,
            clock,
            self._outbox,
            dict(claim.segment_counts),
            self._people.named_now,
            self._became_final,
        )
        self._transcription = Transcription(
            self._streams, self._people, writer, self._outbox, spec.language, values
        )
        self.figures = SessionFigures(self.pipelines, self._transcription.qualities, desk)
        self._languages_told = spec.language, spec.target_languages
        if claim.has_untold_languages:
            self._outbox.tell_languages(*self._languages_told)
        self._is_upload = claim.is_upload
        self._sender = SenderPresence(now_ms, is_upload=claim.is_upload)
        self._next_passing_ms = now_ms
        self._next_progress_ms = now_ms
        self._restore(claim)

    @property
    def status(self) -> SessionStatus:
        return self._status.current

    @property
    def stages(self) -> tuple[Stage, ...]:
        """What audio passes before whisper hears it."""
        return self._values.stages

    @property
    def pipelines(self) -> Mapping[int, StreamPipeline]:
        """The way from audio to lines, stream by stream."""
        return self._streams.pipelines

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
        self._transcription.apply(values)
        self._streams.apply(values)
        self.repairs.apply(values.chunking.max_chunk_ms)

    def speak(self, language: str | None, targets: tuple[str, ...]) -> None:
        """Hear this language with the next chunk of each stream, None whichever it is; and have
        lines in these languages, those that are final already as well. Viewers are told."""
        if (language, targets) != self._languages_told:
            self._languages_told = language, targets
            self._outbox.tell_languages(language, targets)
        self._transcription.speak(language)
        self.translations.desk.aim_at(targets)

    # Connections and streams

    def connected(self, now_ms: int) -> None:
        """A sender is there."""
        self._sender.connected(now_ms)
        self._streams.reconnected()
        if self.status == "created":
            self._status.turn("active")

    def sender_called(self, now_ms: int) -> None:
        """The sender that is there is so still, whether or not it brought something."""
        self._sender.called(now_ms)

    def disconnected(self, now_ms: int) -> None:
        """The sender is gone; the session waits for it."""
        self._sender.disconnected(now_ms)

    def check_stream(self, spec: StreamSpec) -> bool:
        """Whether a stream is new.

        Raises:
            BadAudio: it cannot be opened as described.
            SessionEnded: it is new and the session takes no more.
        """
        is_new = self._intake.is_new(spec)
        if is_new and self.status not in TAKING_AUDIO:
            raise SessionEnded(
                f"Session {self.session_id} is {self.status} and opens no more streams.",
                {"session_id": self.session_id, "status": self.status},
            )
        return is_new

    def open_stream(self, spec: StreamSpec) -> None:
        """Take up a stream that is stored; a known one stays as it is."""
        if spec.stream not in self.ledgers:
            self._intake.add(spec)
            self._streams.open(spec, self._values)
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
            self._streams.take(fact)
        for arrival in judgement.arrivals:
            self._streams.arrived(arrival, now_ms)
        for fact in judgement.facts:
            self._people.take(fact)
        for frame in judgement.frames:
            self._streams.hear(frame)
        if judgement.is_end and self.status in TAKING_AUDIO:
            self._status.turn("ending")
        self._advance(now_ms)

    # Answers

    def transcribed(self, stream: int, chunk: Chunk, hypothesis: Hypothesis, now_ms: int) -> None:
        """The transcription service answered a chunk. Answers to other chunks are stale."""
        if self._transcription.answered(stream, chunk, hypothesis, now_ms):
            self.repairs.answered()
            self._advance(now_ms)

    def transcription_failed(
        self, stream: int, chunk: Chunk, error: OrchestrationError, now_ms: int
    ) -> None:
        """A chunk was not answered: again later, as long as that makes sense."""
        if self._transcription.failed(stream, chunk, error, now_ms):
            self.repairs.chunk_lost(error)
            self._advance(now_ms)

    def alert(self, level: str, code: str, message: str) -> None:
        """Something that whoever watches the session should know."""
        self._outbox.alert(level, code, message)

    def repaired(self, repair: Repair, hypothesis: Hypothesis) -> None:
        """A lost range is heard after all: its lines are corrections of the transcript."""
        self._transcription.repaired(repair, hypothesis)

    def language_of(self, stream: int) -> str | None:
        """The language to hear a stream in, None while it is open."""
        return self._transcription.language_of(stream)

    # People

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

    @property
    def renames(self) -> Renames:
        """Whose stored lines have an earlier name still."""
        return self._people.renames

    def rename_stored(self, stored: Sequence[Segment]) -> None:
        """Stored lines of people who have another name than before."""
        self._outbox.repaint(self.renames.repaint(stored))

    def voices_in(self, stream: int) -> int | None:
        """How many people can be heard in a stream, None while nobody knows."""
        return self._people.voices_in(stream)

    def sighted(self, sightings: Sequence[ParticipantSighting]) -> None:
        """The platform's own records tell who is there."""
        for sighting in sightings:
            self._people.sighted(sighting)

    # Time and output

    def tick(self, now_ms: int) -> None:
        """Let time pass: retries, and what is said once a second."""
        self._transcription.order_again(now_ms)
        if not self._sender.is_awaited:
            values = self._values
            self._streams.stall_quiet(now_ms, values.stall_after_ms, values.force_commit_after_ms)
        self._transcription.force_stalled_words(now_ms, self._values.force_commit_after_ms)
        if now_ms >= self._next_passing_ms and self.status not in TERMINAL:
            self._next_passing_ms = now_ms + self._values.passing_interval_ms
            self.figures.tell(self._outbox)
        self._advance(now_ms)

    @property
    def zero_unix_ms(self) -> int | None:
        """The wall clock at session time zero; None before any audio."""
        return self._streams.clock.zero_unix_ms

    @property
    def window(self) -> int:
        """Unacked frames a stream may have under way."""
        return self._values.window_frames

    def drain(self, now_ms: int) -> SessionStep:
        """Everything to do since the last call."""
        self._advance(now_ms)
        self._tell_of_people()
        people = self._people.drain()
        facts_told = self._people.told_before(self.next_fact)
        changes, passing = self._outbox.drain(
            participants=tuple(people.participants),
            speaker_intervals=tuple(people.intervals),
            corrections=tuple(people.corrections),
            correlations=tuple(people.correlations),
            facts_told=facts_told if facts_told > self._facts_told else None,
        )
        is_due = now_ms >= self._next_progress_ms or self.status in TERMINAL
        if self._streams.have_changed and (is_due or not changes.is_empty()):
            self._next_progress_ms = now_ms + self._values.passing_interval_ms
            changes = self._streams.with_progress(changes)
        orders = self._transcription.drain()
        self._facts_told = facts_told
        return SessionStep(changes, passing, orders, tuple(self.translations.desk.due(now_ms)))

    # Ends

    @property
    def durable_end(self) -> EndOfStreams:
        """The end, were what is durable all there will be: to be stored before `end_now`."""
        return self._intake.durable_end

    def end_now(self, now_ms: int) -> None:
        """End where the streams and the facts are."""
        self._sender.connected(now_ms)
        if self.status not in ("ending", *TERMINAL):
            self._status.turn("ending")
        self._intake.end_here()
        self._advance(now_ms)

    def senderless_ms(self, now_ms: int) -> int:
        """How long the session waits for its sender; 0 while one is there, or none is needed."""
        return self._sender.waited_ms(self.status, now_ms)

    def must_abandon(self, now_ms: int) -> bool:
        """Whether the session has waited for its sender as long as it may."""
        return self._sender.is_given_up(
            self.status, self._intake.is_complete, now_ms, self._values.abandoned_after_ms
        )

    def abandon(self, now_ms: int) -> None:
        """No sender came back: end as if it had said so."""
        if self.status != "ending":
            why = "the upload broke off" if self._is_upload else "no bot came back"
            self._status.turn("abandoned", why)
        self.end_now(now_ms)

    # Recovery

    def _restore(self, claim: Claim) -> None:
        for row in claim.streams:
            words = committed_words(claim, row, self._streams.clock)
            ledger = self._intake.add(row.spec)
            self._streams.restore(row, self._values, words)
            ledger.next_seq, ledger.next_sample = row.next_seq, row.next_sample
            ledger.last_seq = row.last_seq
            self._people.stream_opened(row.spec, replayed=True)
        self.repairs.restored()
        self._people.restore(claim.corrections, claim.participants)
        for segment in claim.repaintable:
            self._people.became_final(segment)
        # After the segments: scans meanwhile would take them for forgotten.
        self._people.correlator.label_names.restore(claim.voices)
        if claim.session.spec.target_languages and claim.segment_counts:
            self.translations.desk.look_back()

    def replay_fact(self, fact: Fact) -> None:
        """A journaled fact, heard again after a restart; what it changed is not told again."""
        self._streams.take(fact)
        self._people.take(fact)
        if fact.fact < self._facts_told:
            self._people.forget_changes()

    def replay_frame(self, frame: JournalFrame, now_unix_ns: int) -> None:
        """A journaled frame beyond the frontier, heard again after a restart."""
        self._streams.replay(frame, now_unix_ns)

    def replayed(self, now_ms: int) -> None:
        """The journal is heard: go on."""
        self._people.correlator.scan()
        self._sender.recovered(now_ms)
        self._streams.replayed(now_ms)
        self._advance(now_ms)

    # The parts

    def _advance(self, now_ms: int) -> None:
        """Everything that follows by itself: ends, next chunks, status."""
        self._transcription.order_next(now_ms)
        if self.status == "ending" and self._is_finished():
            self._streams.all_changed()
            # Viewers go when they hear of the end: who left, and the last names, come before it.
            self._people.correlator.scan()
            self._tell_of_people()
            self._status.turn("completed")
            return
        lag_ms = self.figures.lag_ms
        if self.status == "active" and lag_ms > self._values.delayed_after_ms:
            self._status.turn("delayed", f"the transcript is {lag_ms // 1000} s behind")
        elif self.status == "delayed" and lag_ms < self._values.recovered_below_ms:
            self._status.turn("active")

    def _tell_of_people(self) -> None:
        for kind, body in self._people.take_events():
            self._outbox.tell(kind, body)
        self._outbox.repaint(self._people.repainted())

    def _is_finished(self) -> bool:
        return (
            self._intake.is_complete
            and self.translations.desk.is_idle
            and not self.repairs.is_under_way
            and not self.renames.wait
            and all(pipeline.is_done for pipeline in self.pipelines.values())
        )

    def _became_final(self, segment: Segment) -> None:
        """Final words are to be translated, and tell when somebody was heard."""
        self.translations.desk.want(segment)
        self._people.became_final(segment)
