"""From chunks to lines: what is asked of the transcription service, and what its answers become."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestration.audio.chunker import Chunk
from orchestration.errors import OrchestrationError
from orchestration.services.ports import AudioQuality, Hypothesis
from orchestration.session.outbox import Outbox
from orchestration.session.people import People
from orchestration.session.repairs import Repair, repaired_lines
from orchestration.session.retries import ChunkRetries
from orchestration.session.segment_writer import SegmentWriter
from orchestration.session.spoken_languages import SpokenLanguages
from orchestration.session.stream_pipeline import Heard, SpeakersOf
from orchestration.session.streams import Streams
from orchestration.session.values import SessionValues
from orchestration.speakers.heard_words import SpokenWord
from orchestration.storage.values import ChunkRow, QualityRow
from orchestration.transcript.lines import ends_sentence
from orchestration.transcript.segments import SpeakerName
from orchestration.transcript.words import Word


@dataclass(frozen=True, slots=True)
class TranscribeOrder:
    """A chunk to send to the transcription service."""

    stream: int
    chunk: Chunk
    language: str | None
    prompt: str


class Transcription:
    """One chunk of each stream is under way at most; answers to other chunks are stale."""

    def __init__(
        self,
        streams: Streams,
        people: People,
        writer: SegmentWriter,
        outbox: Outbox,
        language: str | None,
        values: SessionValues,
    ) -> None:
        """`language` is the session's own, None where each stream's is to be heard."""
        self._streams = streams
        self._people = people
        self._writer = writer
        self._outbox = outbox
        self._languages = SpokenLanguages(language)
        self._retries = ChunkRetries(values)
        self._orders: list[TranscribeOrder] = []
        self._ordered_at_ms: dict[int, int] = {}
        self._answered_at_ms: dict[int, int] = {}
        self._qualities: dict[int, AudioQuality] = {}

    @property
    def qualities(self) -> Mapping[int, AudioQuality]:
        """Of each stream's last answered chunk, once there is one."""
        return self._qualities

    def apply(self, values: SessionValues) -> None:
        """Try again as these values say."""
        self._retries.apply(values)

    def speak(self, language: str | None) -> None:
        """Ask for this language with the next chunk of each stream; None: let it be heard."""
        self._languages.give(language)

    def language_of(self, stream: int) -> str | None:
        """The language to hear a stream in, None while it is open."""
        return self._languages.of(stream)

    def order_next(self, now_ms: int) -> None:
        """Order each stream's next chunk that is due; streams that are complete end."""
        for stream, pipeline in self._streams.pipelines.items():
            if self._streams.ledgers[stream].is_complete:
                pipeline.end()
            heard = pipeline.close_utterance(self._speakers_of(stream))
            if heard is not None:
                self._publish(stream, heard)
            under_way = pipeline.in_flight is not None
            chunk = pipeline.next_chunk()
            if chunk is not None and not under_way:
                self._order(stream, chunk, now_ms)

    def order_again(self, now_ms: int) -> None:
        """Order chunks whose wait after a failure is over."""
        for stream in self._retries.due(now_ms):
            chunk = self._streams.pipelines[stream].in_flight
            if chunk is not None:
                self._order(stream, chunk, now_ms)

    def drain(self) -> tuple[TranscribeOrder, ...]:
        """Orders since the last call."""
        orders, self._orders = tuple(self._orders), []
        return orders

    def answered(self, stream: int, chunk: Chunk, hypothesis: Hypothesis, now_ms: int) -> bool:
        """Take an answer; False when it is stale."""
        pipeline = self._streams.pipelines[stream]
        if pipeline.in_flight != chunk:
            return False
        self._outbox.add_chunk(self._chunk_row(stream, chunk, now_ms, hypothesis))
        self._retries.answered(stream)
        self._answered_at_ms[stream] = now_ms
        self._languages.heard(stream, hypothesis)
        if hypothesis.quality is not None:
            self._qualities[stream] = hypothesis.quality
            row = QualityRow(stream, chunk.start, chunk.end, hypothesis.quality)
            self._outbox.add_quality(row)
        self._streams.clock.settle(stream)
        self._publish(stream, pipeline.answered(chunk, hypothesis, self._speakers_of(stream)))
        return True

    def failed(self, stream: int, chunk: Chunk, error: OrchestrationError, now_ms: int) -> bool:
        """A chunk was not answered: again later, as long as that makes sense.

        True when it is given up, and its samples are lost.
        """
        pipeline = self._streams.pipelines[stream]
        if pipeline.in_flight != chunk:
            return False
        row = self._chunk_row(stream, chunk, now_ms, None)
        if self._retries.failed(stream, error, now_ms):
            return False
        self._outbox.add_chunk(row)
        self._streams.clock.settle(stream)
        heard, lost = pipeline.given_up(chunk, error.code, self._speakers_of(stream))
        self._publish(stream, heard)
        if lost is not None:
            self._streams.lost(stream, lost)
        return True

    def repaired(self, repair: Repair, hypothesis: Hypothesis) -> None:
        """A lost range is heard after all: its lines are corrections of the transcript."""
        stream, pipeline = repair.stream, self._streams.pipelines[repair.stream]
        self._streams.clock.settle(stream)
        rate = pipeline.spec.format.sample_rate
        for line in repaired_lines(repair, hypothesis, rate, self._speakers_of(stream)):
            self._writer.add_final(stream, line, corrected=True)
        pipeline.coverage.repaired(repair.lost.start, repair.lost.end)
        self._streams.changed(stream)

    def force_stalled_words(self, now_ms: int, force_commit_after_ms: int) -> None:
        """Words that wait this long for a next answer are final as they are."""
        for stream, answered_at_ms in list(self._answered_at_ms.items()):
            if now_ms - answered_at_ms >= force_commit_after_ms:
                del self._answered_at_ms[stream]
                pipeline = self._streams.pipelines[stream]
                if pipeline.has_open_words:
                    self._publish(stream, pipeline.force_commit(self._speakers_of(stream)))

    def _order(self, stream: int, chunk: Chunk, now_ms: int) -> None:
        self._ordered_at_ms[stream] = now_ms
        prompt = self._streams.pipelines[stream].prompt(chunk)
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

    def _speakers_of(self, stream: int) -> SpeakersOf:
        clock = self._streams.clock

        def span(word: Word) -> SpokenWord:
            start_ns, end_ns = (
                clock.session_ns(stream, sample) for sample in (word.start_sample, word.end_sample)
            )
            return SpokenWord(
                start_ns, end_ns, word.label, ends_sentence(word.text), word.label_probability
            )

        def speakers_of(words: Sequence[Word]) -> Sequence[SpeakerName | None]:
            return self._people.speakers_of(stream, [span(word) for word in words])

        return speakers_of

    def _publish(self, stream: int, heard: Heard) -> None:
        self._streams.changed(stream)
        self._writer.publish(stream, heard)
