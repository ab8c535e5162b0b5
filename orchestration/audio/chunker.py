"""Where a stream is cut for whisper, and what of it is never sent.

The chunker answers pulls: a session asks for the next chunk when its engine is free, and a chunk
grows by itself, up to a limit, while the engine is behind. Nothing here touches audio; the whole
module counts samples of one stream.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from orchestration.audio.chunking_policy import ChunkingPolicy
from orchestration.audio.sample_ranges import SampleRanges
from orchestration.audio.voice_activity import VoiceWindow
from orchestration.errors import OrchestrationError


@dataclass(frozen=True, slots=True)
class Chunk:
    """A window `[start, end)` for whisper."""

    index: int
    start: int
    end: int
    is_final: bool
    """It ends in silence, so that no word is cut by its end."""
    may_go_on: bool = False
    """It is final though its utterance was not over when it was cut."""


class Chunker:
    """Turns voice windows into overlapping chunks of speech and ranges of silence.

    An utterance begins when enough speech is heard in a short span, dated back to its first
    window, and ends after `end_of_speech` of silence, at a gap, or with the stream. Every sample
    heard ends up in chunks, in silence, or waits; never in two of these. The end of an utterance
    is always sent in a final chunk, even if all its audio went out before: only that commits the
    words that the guard holds back.

    What will be in that chunk is known before the utterance is: with `early_end` it goes out after
    that much silence, final already. Should the speaker go on, the next one overlaps it as any
    other.
    """

    def __init__(self, policy: ChunkingPolicy, position: int = 0) -> None:
        """`position` is the first sample that will be heard."""
        self.apply(policy)
        self._heard = position
        self._ended = False
        self._chunks = 0
        self._cut_to = position
        # Up to here final chunks have gone out, and whether the end of an utterance was among them.
        self._settled_to = position
        self._utterance_over = False
        # While nobody speaks: before this all is in utterances, silence or gaps.
        self._position = position
        self._finished: deque[tuple[int, int]] = deque()
        self._silences = SampleRanges()
        self._pauses = SampleRanges()
        # The unsent start of the utterance being heard, and the end of its last speech so far.
        self._speaking_from: int | None = None
        self._speech_end = position
        # In silence: recent speech that may yet turn out to be an onset.
        self._onset: deque[VoiceWindow] = deque()

    def apply(self, policy: ChunkingPolicy) -> None:
        """Cut as this policy says from now on. The next chunk of an utterance still begins by the
        overlap of the last cut, and ends behind that cut."""
        self._policy = policy
        # A cut leaves so much, that with the overlap it makes a final chunk worth hearing.
        self._left_by_cut = max(0, policy.shortest_chunk - policy.overlap)

    @property
    def needed_from(self) -> int:
        """No chunk to come begins before this sample."""
        if self._finished:
            return self._finished[0][0]
        return self._position if self._speaking_from is None else self._speaking_from

    @property
    def has_pending(self) -> bool:
        """Whether heard audio is neither chunked nor silent, or an utterance awaits its end."""
        speaks = self._speaking_from is not None
        return speaks or bool(self._finished) or self._position < self._heard

    def hear(self, windows: Sequence[VoiceWindow]) -> None:
        """Take the windows that follow those heard before.

        Raises:
            OrchestrationError: they do not follow, or the stream has ended.
        """
        for window in windows:
            self._expect(window.start)
            self._heard = window.end
            if not window.is_speech:
                self._pauses.add(window.start, window.end)
            if self._speaking_from is None:
                self._listen_for_onset(window)
            elif window.is_speech:
                self._speech_end = window.end
            elif window.end - self._speech_end >= self._policy.end_of_speech:
                self._finish_utterance(self._speaking_from)
        if self._speaking_from is None:
            # A later onset dates back at most to the first speech still in its span.
            quiet_to = self._onset[0].start if self._onset else self._heard
            self._declare_silent_to(quiet_to - self._policy.speech_margin)
        self._pauses.remove(0, self.needed_from)

    def stall(self) -> None:
        """No audio has come for a while: whoever spoke is done, though the stream may go on.

        Some bots send nothing while nobody speaks; the last words must not wait until they do.
        """
        if self._speaking_from is not None:
            self._finish_utterance(self._speaking_from)
        self._onset.clear()
        self._declare_silent_to(self._heard)

    def gap(self, start: int, end: int) -> None:
        """Capture skipped `[start, end)`: an utterance ends at its start, and no chunk spans it.

        Raises:
            OrchestrationError: the gap does not begin where hearing stopped, or the stream ended.
        """
        self._expect(start)
        self.stall()
        self._heard = self._position = end

    def end(self, sample: int) -> None:
        """No more audio comes; `sample` is one past the last.

        Raises:
            OrchestrationError: windows up to `sample` were not heard, or the stream ended before.
        """
        self._expect(sample)
        self.stall()
        self._ended = True

    def next_chunk(self) -> Chunk | None:
        """The next chunk, as long as what waits allows; None while nothing is due."""
        if self._finished:
            return self._next_of_finished()
        start = self._speaking_from
        if start is None:
            return None
        if self._may_be_over(start):
            end = self._speech_end + self._policy.speech_margin
            self._speaking_from = max(start, end - self._policy.overlap)
            return self._emit(start, end, is_final=True, may_go_on=True)
        if self._heard - self._left_by_cut - start < self._policy.chunk:
            return None
        # The utterance may just be over. Its final chunk would repeat most of one cut now, so
        # the cut waits: at most for the rest of `end_of_speech`.
        if self._heard - self._speech_end > self._policy.speech_margin:
            return None
        if self._heard - self._left_by_cut < self._earliest_cut(start):
            return None
        cut = self._cut(start, self._heard)
        self._speaking_from = cut - self._policy.overlap
        return self._emit(start, cut, is_final=False)

    def take_utterance_over(self) -> bool:
        """Whether an utterance has turned out to be over with a chunk that it might have gone on
        after; once for each."""
        over, self._utterance_over = self._utterance_over, False
        return over

    def take_silences(self) -> list[tuple[int, int]]:
        """Samples newly decided never to be sent, as sorted half-open ranges.

        Silence that follows an unsent utterance is undecided: it may yet join two into one chunk.
        """
        decided = self._silences.within(0, self.needed_from)
        self._silences.remove(0, self.needed_from)
        return decided

    def _expect(self, start: int) -> None:
        if self._ended or start != self._heard:
            ended = ", where the stream ended" if self._ended else ""
            raise OrchestrationError(
                f"The chunker cannot go on at sample {start}: it heard up to {self._heard}{ended}.",
                {"start": start, "heard": self._heard, "ended": self._ended},
            )

    def _listen_for_onset(self, window: VoiceWindow) -> None:
        while self._onset and self._onset[0].start < window.end - self._policy.onset_span:
            self._onset.popleft()
        if not window.is_speech:
            return
        self._onset.append(window)
        if sum(one.end - one.start for one in self._onset) < self._policy.onset_speech:
            return
        start = max(self._position, self._onset[0].start - self._policy.speech_margin)
        self._declare_silent_to(start)
        self._speaking_from = start
        self._speech_end = window.end
        self._onset.clear()

    def _may_be_over(self, start: int) -> bool:
        """Whether the end of the utterance is to be sent, should it be over."""
        end = self._speech_end + self._policy.speech_margin
        # Who pauses at each word is not sent at each word.
        least = max(start, self._settled_to) + self._policy.shortest_chunk
        return (
            self._heard - self._speech_end >= self._policy.early_end
            and self._speech_end > self._settled_to
            and least <= end <= self._heard
            and end - start <= self._policy.max_chunk
        )

    def _finish_utterance(self, start: int) -> None:
        if self._speech_end <= self._settled_to:
            self._speaking_from = None
            self._position = self._settled_to
            self._utterance_over = True
            return
        wanted = max(
            self._speech_end + self._policy.speech_margin,
            start + self._policy.shortest_chunk,
            self._cut_to if start < self._cut_to else start,
        )
        end = min(wanted, self._heard)
        self._finished.append((start, end))
        self._speaking_from = None
        self._position = end

    def _declare_silent_to(self, sample: int) -> None:
        if sample > self._position:
            self._silences.add(self._position, sample)
            self._position = sample

    def _next_of_finished(self) -> Chunk:
        self._join_finished()
        start, end = self._finished.popleft()
        is_cut = end - start > self._policy.max_chunk
        if not is_cut or end - self._left_by_cut < self._earliest_cut(start):
            return self._emit(start, end, is_final=True)
        cut = self._cut(start, end)
        self._finished.appendleft((cut - self._policy.overlap, end))
        return self._emit(start, cut, is_final=False)

    def _join_finished(self) -> None:
        """Make one of short utterances that wait with little silence between them.

        A request costs whisper nearly the same whatever its length, so sending a backlog of
        short utterances one by one would never catch up.
        """
        while len(self._finished) > 1:
            (start, end), (next_start, next_end) = self._finished[0], self._finished[1]
            gapless = not self._silences.missing(end, next_start)
            near = next_start - end <= self._policy.joined_silence
            if not (gapless and near and next_end - start <= self._policy.max_chunk):
                return
            self._silences.remove(end, next_start)
            self._finished.popleft()
            self._finished[0] = (start, next_end)

    def _cut(self, start: int, limit: int) -> int:
        """The end of a chunk of `[start, limit)`: in its longest late pause, else at its latest."""
        policy = self._policy
        earliest = self._earliest_cut(start)
        latest = min(limit - self._left_by_cut, max(start + policy.max_chunk, earliest))
        earliest = max(latest - policy.pause_search, earliest)
        pauses = self._pauses.within(earliest, latest)
        if not pauses:
            return latest
        pause_start, pause_end = max(pauses, key=lambda pause: pause[1] - pause[0])
        return (pause_start + pause_end) // 2

    def _earliest_cut(self, start: int) -> int:
        """Each chunk moves on by at least half of what one without pauses would."""
        policy = self._policy
        stride = (policy.chunk - policy.overlap + 1) // 2
        return max(start + policy.overlap, self._cut_to) + stride

    def _emit(self, start: int, end: int, *, is_final: bool, may_go_on: bool = False) -> Chunk:
        chunk = Chunk(self._chunks, start, end, is_final, may_go_on)
        self._chunks += 1
        self._cut_to = end
        if is_final:
            self._settled_to = end
        return chunk
