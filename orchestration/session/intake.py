"""What a sender brings: frames, facts and ends, judged against what is durable."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from orchestration.errors import BadAudio, BadRequest, OrchestrationError
from orchestration.session.ingest_ledger import LedgerBatch, StreamLedger
from orchestration.session.inputs import AudioFrame, EndOfStreams, Fact, StreamSpec
from orchestration.storage.values import JournalFrame


@dataclass(frozen=True, slots=True)
class Arrival:
    """When a new frame that ends at `end_sample` reached the service, in Unix nanoseconds."""

    stream: int
    end_sample: int
    received_ns: int


@dataclass(slots=True)
class Judgement:
    """A batch judged, to be accepted when its frames and facts are durable."""

    batches: dict[int, LedgerBatch] = field(default_factory=dict)
    facts: list[Fact] = field(default_factory=list)
    last_seqs: dict[int, int] = field(default_factory=dict)
    """Where streams end that are said to end in this batch, named or not."""
    last_fact: int | None = None
    """The last fact there will be, where the batch says that the session ends."""
    arrivals: list[Arrival] = field(default_factory=list)
    """Of the frames, in the order they came."""
    error: OrchestrationError | None = None
    """What ended the batch early; everything before it counts."""

    @property
    def frames(self) -> list[JournalFrame]:
        return [frame for batch in self.batches.values() for frame in batch.frames]

    @property
    def is_end(self) -> bool:
        """Whether the batch says that the session ends."""
        return self.last_fact is not None

    @property
    def nacks(self) -> tuple[tuple[int, int], ...]:
        return tuple(
            (stream, batch.expected)
            for stream, batch in self.batches.items()
            if batch.expected is not None
        )


class Intake:
    """The ledgers of a session's streams, and the numbering of its facts."""

    def __init__(self, next_fact: int, max_streams: int, last_fact: int | None = None) -> None:
        """`last_fact` is the last fact there will be, where the end was announced before."""
        self.ledgers: dict[int, StreamLedger] = {}
        self.next_fact = next_fact
        self._max_streams = max_streams
        self._last_fact = last_fact

    @property
    def facts_are_complete(self) -> bool:
        """Whether every announced fact is durable; so far none may be announced."""
        return self._last_fact is None or self.next_fact > self._last_fact

    @property
    def is_complete(self) -> bool:
        """Whether everything announced is durable, and the end was announced."""
        return self.facts_are_complete and all(one.is_complete for one in self.ledgers.values())

    def add(self, spec: StreamSpec) -> StreamLedger:
        """Take up a stream."""
        ledger = self.ledgers[spec.stream] = StreamLedger(spec.stream, spec.format)
        return ledger

    def is_new(self, spec: StreamSpec) -> bool:
        """Whether a stream is unknown; raises BadAudio when it may not be opened as described."""
        known = self.ledgers.get(spec.stream)
        if known is None:
            if len(self.ledgers) >= self._max_streams:
                raise BadAudio(
                    f"A session has at most {self._max_streams} streams (max_streams).",
                    {"max_streams": self._max_streams},
                )
            return True
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

    def judge(
        self, items: Sequence[AudioFrame | Fact | EndOfStreams], received_ns: Sequence[int]
    ) -> Judgement:
        """Judge a batch in order without changing anything; stops at the first fatal error.

        `received_ns` is when each item reached the service.
        """
        judgement = Judgement()
        try:
            for item, at_ns in zip(items, received_ns, strict=True):
                if isinstance(item, AudioFrame):
                    self._judge_frame(item, at_ns, judgement)
                elif isinstance(item, EndOfStreams):
                    self._judge_end(item, judgement)
                else:
                    self._judge_fact(item, judgement)
        except OrchestrationError as error:
            judgement.error = error
        return judgement

    def accept(self, judgement: Judgement) -> None:
        """What was judged is durable now."""
        for batch in judgement.batches.values():
            batch.ledger.accept(batch.frames)
        self.next_fact += len(judgement.facts)
        for stream, last_seq in judgement.last_seqs.items():
            self.ledgers[stream].last_seq = last_seq
        if judgement.is_end:
            self._last_fact = judgement.last_fact

    @property
    def durable_end(self) -> EndOfStreams:
        """The end, were what is durable all there will be."""
        last_seqs = tuple((stream, one.next_seq - 1) for stream, one in self.ledgers.items())
        return EndOfStreams(last_seqs, self.next_fact - 1)

    def end_here(self) -> None:
        """What is durable is all there will be."""
        for ledger in self.ledgers.values():
            if not ledger.is_complete:
                ledger.last_seq = ledger.next_seq - 1
        self._last_fact = self.next_fact - 1

    def _judge_frame(self, frame: AudioFrame, received_ns: int, judgement: Judgement) -> None:
        ledger = self.ledgers.get(frame.stream)
        if ledger is None:
            raise BadAudio(
                f"Stream {frame.stream} is not open; say `stream` first.", {"stream": frame.stream}
            )
        batch = judgement.batches.get(frame.stream)
        if batch is None:
            batch = judgement.batches[frame.stream] = ledger.batch()
        batch.last_seq = judgement.last_seqs.get(frame.stream, batch.last_seq)
        known = len(batch.frames)
        batch.judge(frame, received_ns)
        for new in batch.frames[known:]:
            end_sample = new.first_sample + new.sample_count
            judgement.arrivals.append(Arrival(new.stream, end_sample, received_ns))

    def _judge_fact(self, fact: Fact, judgement: Judgement) -> None:
        expected = self.next_fact + len(judgement.facts)
        if fact.fact > expected:
            raise BadRequest(
                f"Fact {fact.fact} came before fact {expected}.", {"expected": expected}
            )
        if fact.fact == expected:
            judgement.facts.append(fact)

    def _judge_end(self, end: EndOfStreams, judgement: Judgement) -> None:
        announced = dict(end.last_seq_by_stream)
        for stream in announced:
            if stream not in self.ledgers:
                raise BadAudio(f"Stream {stream} is not open.", {"stream": stream})
        last_seqs: dict[int, int] = {}
        for stream, ledger in self.ledgers.items():
            batch = judgement.batches.get(stream) or ledger.batch()
            batch.last_seq = judgement.last_seqs.get(stream, batch.last_seq)
            last_seqs[stream] = batch.judge_end(announced.get(stream))
        judgement.last_seqs.update(last_seqs)
        judgement.last_fact = end.last_fact
