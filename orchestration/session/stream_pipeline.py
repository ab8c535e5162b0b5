"""One stream from frames to lines: its audio, the chunk under way, stitcher, lines, coverage."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestration.audio.chunker import Chunk
from orchestration.audio.pcm import decode_mono
from orchestration.audio.sample_ranges import SampleRanges
from orchestration.services.ports import Hypothesis
from orchestration.session.inputs import StreamSpec
from orchestration.session.placed_words import placed_words
from orchestration.session.stream_audio import StreamAudio
from orchestration.session.unheard_rest import unheard_rest
from orchestration.session.values import SessionValues
from orchestration.storage.values import JournalFrame, SampleRange, StreamProgress
from orchestration.transcript.coverage import StreamCoverage
from orchestration.transcript.hallucination import credible_words
from orchestration.transcript.lines import AttributedWord, Line, LineBuilder, LinePolicy
from orchestration.transcript.segments import SpeakerName
from orchestration.transcript.stitching import Stitcher, StitchingPolicy
from orchestration.transcript.words import Word

RESUME_LEAD_MS = 2000
"""A stream that goes on after a restart is heard again from this long before its frontier, so that
the first chunk overlaps final words and is stitched to them like any other."""

SpeakersOf = Callable[[Sequence[Word]], Sequence[SpeakerName | None]]
"""Names who said each of some words of the stream at hand, in order."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What one answer changed: lines that are final now, and the stream's whole pending text."""

    lines: tuple[Line, ...]
    pending: tuple[AttributedWord, ...]


class StreamPipeline:
    """One stream's audio on its way to words. Feed frames; pull chunks; feed their answers.

    One chunk is under way at a time, so answers come in order, and a chunk grows by itself when
    the engine is slower than the speech.
    """

    def __init__(
        self,
        spec: StreamSpec,
        values: SessionValues,
        progress: StreamProgress | None = None,
        lost: Sequence[SampleRange] = (),
        committed: Sequence[Word] = (),
    ) -> None:
        """A stream that goes on has its stored `progress`, what is `lost` of it, and the last words
        `committed`."""
        rate = spec.format.sample_rate
        chunking = values.chunking
        frontier = progress.frontier if progress else 0
        heard_from = max(0, frontier - RESUME_LEAD_MS * rate // 1000)
        self.spec = spec
        self._resumed_at = frontier
        self._resume_lead = RESUME_LEAD_MS * rate // 1000
        self._known_gaps = SampleRanges((one.start, one.end) for one in lost)
        self.in_flight: Chunk | None = None
        self._rest: Chunk | None = None
        self._audio = StreamAudio(rate, values, heard_from)
        self._stitcher = Stitcher(
            StitchingPolicy.from_ms(rate, guard_ms=chunking.guard_ms), frontier, committed
        )
        self._values_due: SessionValues | None = None
        self._take_up(values)
        self._lines = LineBuilder(LinePolicy.from_ms(rate))
        self._language = ""
        self._pending: tuple[Word, ...] = ()
        self.coverage = (
            StreamCoverage.resumed(rate, progress, lost) if progress else StreamCoverage(rate)
        )
        self._ended = False
        self.non_finite_samples = 0
        self.clipped_samples = 0
        self.dropped_hallucinations = 0

    def hear(self, frame: JournalFrame) -> SampleRange | None:
        """Take a journaled frame. Returns the capture gap before it, if that is news."""
        pcm = decode_mono(frame.payload, self.spec.format)
        self.non_finite_samples += pcm.non_finite
        self.clipped_samples += pcm.clipped
        gap = None
        if skipped := self._audio.append(frame.first_sample, pcm.samples):
            gap = SampleRange(*skipped, "capture_skipped")
            self.coverage.extend(gap.end)
            self.coverage.lost(gap.start, gap.end, gap.reason)
        self.coverage.extend(self._audio.end)
        self._settle_silence()
        if gap is None or not self._known_gaps.missing(gap.start, gap.end):
            # What is heard again may begin within a gap that was told of as a whole.
            return None
        return gap

    def apply(self, values: SessionValues) -> None:
        """Go on with these values, taken up whole before the next chunk: the answer of one that is
        under way belongs to the overlap and guard with which it was cut."""
        self._values_due = values

    def end(self) -> None:
        """No more audio will come."""
        if not self._ended:
            self._ended = True
            self._audio.finish()
            self._settle_silence()

    def stall(self, *, even_in_speech: bool) -> bool:
        """The sender is there but sends nothing: let the utterance end, unless in mid-speech
        (False).

        A bot that leaves out silence sends some of it first. Audio that stops in speech is late,
        and an end there would cut a word in two; `even_in_speech` it is not coming any more, as of
        somebody who mutes the microphone with the last word.
        """
        if not self._audio.stall(even_in_speech=even_in_speech):
            return False
        self._settle_silence()
        return True

    @property
    def chunks_waiting(self) -> int:
        """Chunks that are cut and have no answer yet."""
        return (self.in_flight is not None) + (self._rest is not None)

    @property
    def is_done(self) -> bool:
        """Whether every sample's fate is known and every word final."""
        waits = self.in_flight is not None or self._rest is not None
        return self._ended and not waits and not self._audio.has_pending

    def next_chunk(self) -> Chunk | None:
        """The next chunk to send, when none is under way and one is due."""
        if self.in_flight is None:
            if self._values_due is not None and self._rest is None:
                self._take_up(self._values_due)
            self.in_flight, self._rest = self._rest or self._audio.next_chunk(), None
            self._settle_silence()
        return self.in_flight

    def audio_of(self, chunk: Chunk) -> NDArray[np.int16] | None:
        """A chunk's samples, mono at the stream's rate; None when memory no longer has them."""
        return self._audio.read(chunk.start, chunk.end)

    def prompt(self, chunk: Chunk) -> str:
        """What was said before the chunk."""
        if not self._prompt_characters:
            return ""
        return self._stitcher.prompt(chunk.start, self._prompt_characters, self._language)

    def answered(self, chunk: Chunk, hypothesis: Hypothesis, speakers_of: SpeakersOf) -> Heard:
        """Take the engine's answer for the chunk under way."""
        credible = credible_words(hypothesis)
        self.dropped_hallucinations += sum(credible.dropped.values())
        if credible.words or not self._language:
            # Without words it is a guess at noise, and words of the answer before may yet be said.
            self._language = hypothesis.language
        words = placed_words(
            credible.words,
            hypothesis,
            stream=self.spec.stream,
            sample_rate=self.spec.format.sample_rate,
            start=chunk.start,
            end=chunk.end,
        )
        self._rest = unheard_rest(chunk, words, self._audio, self._overlap_samples)
        end = chunk.end if self._rest is None else self._rest.start
        is_final = chunk.is_final or self._rest is not None
        splice = self._stitcher.splice(
            chunk_start=chunk.start, chunk_end=end, is_final=is_final, words=words
        )
        self.coverage.transcribed(chunk.start, end if is_final else end - self._guard_samples)
        self._pending = splice.pending
        utterance_over = chunk.is_final and self._rest is None
        if utterance_over and chunk.may_go_on:
            utterance_over = self._audio.take_utterance_over()
        return self._finish(splice.committed, utterance_over, speakers_of)

    def given_up(
        self, chunk: Chunk, reason: str, speakers_of: SpeakersOf
    ) -> tuple[Heard, SampleRange | None]:
        """The chunk under way will never be answered: what only it holds is lost, None if the next
        one holds all of it."""
        lost_to = chunk.end if chunk.is_final else chunk.end - self._overlap_samples
        start = max(chunk.start, self.coverage.first_pending)
        self.coverage.lost(chunk.start, lost_to, reason)
        committed = self._stitcher.flush()
        self._pending = ()
        lost = SampleRange(start, lost_to, reason) if start < lost_to else None
        return self._finish(committed, True, speakers_of), lost

    def close_utterance(self, speakers_of: SpeakersOf) -> Heard | None:
        """The last line of an utterance that has turned out to be over after its words were heard;
        None where there is none."""
        if self.chunks_waiting or not self._audio.take_utterance_over():
            return None
        return self._written((), True, speakers_of) if self._lines.open_words else None

    def force_commit(self, speakers_of: SpeakersOf) -> Heard:
        """Make final what has waited too long for a chunk that would settle it."""
        committed = self._stitcher.force()
        self._pending = self._stitcher.pending
        return self._written(committed, True, speakers_of)

    @property
    def has_open_words(self) -> bool:
        """Whether words were heard that are in no final line yet."""
        return bool(self._pending or self._lines.open_words)

    def progress(self, offset_ns: int | None) -> StreamProgress:
        """What to store, with what is lost, so that another incarnation can go on."""
        return self.coverage.progress(self.spec.stream, offset_ns, self.frontier)

    @property
    def frontier(self) -> int:
        """The sample before which every word is final.

        It never falls behind the one that this incarnation began with: another one would begin as
        this one did.
        """
        open_words = (*(one.word for one in self._lines.open_words), *self._pending)
        first_open = min([self.coverage.first_pending, *(one.start_sample for one in open_words)])
        return max(self._resumed_at, first_open)

    @property
    def needed_from(self) -> int:
        """Audio from this sample on would be heard again after a restart."""
        return max(0, self.frontier - self._resume_lead)

    @property
    def lag_ms(self) -> int:
        """Audio that came after the first sample whose fate is open."""
        waiting = self.coverage.duration - self.coverage.first_pending
        return waiting * 1000 // self.spec.format.sample_rate

    def level_dbfs(self) -> float:
        """Loudness of the last second, as RMS in dB of full scale; -96 for silence."""
        return self._audio.level_dbfs()

    def _take_up(self, values: SessionValues) -> None:
        rate, chunking = self.spec.format.sample_rate, values.chunking
        self._guard_samples = self._audio.samples(chunking.guard_ms)
        self._overlap_samples = self._audio.samples(chunking.overlap_ms)
        self._prompt_characters = values.prompt_characters
        self._audio.apply(chunking)
        self._stitcher.apply(StitchingPolicy.from_ms(rate, guard_ms=chunking.guard_ms))
        self._values_due = None

    def _finish(
        self, committed: Sequence[Word], utterance_over: bool, speakers_of: SpeakersOf
    ) -> Heard:
        self.in_flight = None
        heard = self._written(committed, utterance_over, speakers_of)
        self._discard()
        return heard

    def _written(
        self, committed: Sequence[Word], utterance_over: bool, speakers_of: SpeakersOf
    ) -> Heard:
        words = [*committed, *self._pending]
        attributed = [
            AttributedWord(word, speaker, self._language)
            for word, speaker in zip(words, speakers_of(words), strict=True)
        ]
        lines = self._lines.add(attributed[: len(committed)], utterance_over=utterance_over)
        pending = attributed[len(committed) :]
        return Heard(tuple(lines), (*self._lines.open_words, *pending))

    def _settle_silence(self) -> None:
        for start, end in self._audio.take_silences():
            self.coverage.silent(start, end)
        if self.in_flight is None:
            self._discard()

    def _discard(self) -> None:
        """Let go of audio that no chunk will need."""
        self._audio.discard_before(self._rest.start if self._rest else self._audio.needed_from)
