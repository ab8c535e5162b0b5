"""Stitching: hypotheses of overlapping chunks become one append-only run of words.

The anchored splice with guard. Each new hypothesis is aligned with the words already committed
inside the overlap; what follows the last aligned word is new. New words that end at least a guard
before the chunk's end are committed, because whisper still changes its mind about words cut by the
edge; the rest is pending until the next hypothesis replaces it.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from orchestration.transcript.word_alignment import TimeTolerance, aligned, is_same_word
from orchestration.transcript.words import Word, join_words

CARRIED_PROBABILITY = 0.5
"""Pending words at least this probable outlast a hypothesis that stops before it reaches them."""

TAIL_WORDS = 512
"""Committed words remembered for alignment and prompts; older ones are forgotten. A prompt needs
at most 200, and an overlap of 10 s holds far fewer."""


@dataclass(frozen=True, slots=True)
class StitchingPolicy:
    """Tolerances of the splice, in samples of the stream."""

    guard: int
    """Words ending later than this before the chunk's end stay pending."""
    reach: int
    """Hypothesis words up to this far past the frontier take part in the alignment."""
    tolerance: TimeTolerance
    """How far apart a word heard twice may be timed."""
    cut_tolerance: int
    """How far from the chunk's start a word cut by it, and its remainder, may be timed."""
    prompt_silence: int
    """After this much silence what was said before no longer prompts."""

    @classmethod
    def from_ms(
        cls,
        sample_rate: int,
        guard_ms: int = 800,
        reach_ms: int = 800,
        time_scale_ms: int = 350,
        max_shift_ms: int = 700,
        cut_tolerance_ms: int = 150,
        prompt_silence_ms: int = 3000,
    ) -> "StitchingPolicy":
        """The policy for a stream of `sample_rate` samples a second."""
        return cls(
            guard=guard_ms * sample_rate // 1000,
            reach=reach_ms * sample_rate // 1000,
            tolerance=TimeTolerance(
                time_scale_ms * sample_rate // 1000, max_shift_ms * sample_rate // 1000
            ),
            cut_tolerance=cut_tolerance_ms * sample_rate // 1000,
            prompt_silence=prompt_silence_ms * sample_rate // 1000,
        )


@dataclass(frozen=True, slots=True)
class Splice:
    """What one hypothesis added.

    `committed` are the words final from now on; `pending` takes the place of all that was pending.
    `anchored` is False where committed words lay in the overlap and none was heard again, so that
    time alone decided.
    """

    committed: tuple[Word, ...]
    pending: tuple[Word, ...]
    anchored: bool


class Stitcher:
    """Stitches one stream. Feed it the hypotheses in the order of their chunks.

    Commits are append-only and their starts never decrease. A stitcher that takes over a stream
    gets the last words `committed` before it, to which it stitches the first chunk; without any,
    it commits only words whose middle lies beyond `frontier`.
    """

    def __init__(
        self, policy: StitchingPolicy, frontier: int = 0, committed: Sequence[Word] = ()
    ) -> None:
        self._policy = policy
        self._frontier = committed[-1].end_sample if committed else frontier
        self._tail: deque[Word] = deque(committed, maxlen=TAIL_WORDS)
        self._pending: tuple[Word, ...] = ()
        # Up to here all words are settled, those that may still be found by alignment excepted.
        self._settled_to = frontier
        self._heard_to = 0

    def apply(self, policy: StitchingPolicy) -> None:
        """Splice as this policy says from the next hypothesis on."""
        self._policy = policy

    @property
    def frontier(self) -> int:
        """The sample up to which words are final: the last word's end, or a final chunk's."""
        return self._frontier

    @property
    def pending(self) -> tuple[Word, ...]:
        """Words heard but not final."""
        return self._pending

    def splice(
        self, *, chunk_start: int, chunk_end: int, is_final: bool, words: Sequence[Word]
    ) -> Splice:
        """Take the hypothesis of the chunk `[chunk_start, chunk_end)`.

        Args:
            chunk_start: the chunk's first sample.
            chunk_end: the sample after its last.
            is_final: nothing overlaps the chunk's end, so that all of it is committed.
            words: the hypothesis in order; times outside the chunk are brought inside.
        """
        # Pending words before this chunk are in nobody's hearing any more.
        unheard = sum(1 for word in self._pending if word.middle_sample < chunk_start)
        committed = list(self._commit(self._pending[:unheard]))

        hypothesis = [_inside(word, chunk_start, chunk_end) for word in words]
        first_new, anchored = self._first_new(chunk_start, hypothesis)
        carried = self._unreached(self._pending[unheard:], hypothesis)
        fresh = self._ordered([*hypothesis[first_new:], *carried])
        settled_to = chunk_end if is_final else chunk_end - self._policy.guard
        settled = len(fresh)
        if not is_final:
            settled = next((i for i, w in enumerate(fresh) if w.end_sample > settled_to), settled)
        committed.extend(self._commit(fresh[:settled]))
        self._pending = fresh[settled:]
        self._settled_to = max(self._settled_to, settled_to)
        self._heard_to = max(self._heard_to, chunk_end)
        if is_final:
            self._frontier = max(self._frontier, chunk_end)
        return Splice(tuple(committed), self._pending, anchored)

    def flush(self) -> tuple[Word, ...]:
        """Commit what is pending: no later chunk will hear it again."""
        flushed = self._commit(self._pending)
        self._pending = ()
        return flushed

    def force(self) -> tuple[Word, ...]:
        """Commit what is pending though a later chunk may hear it again, and will be aligned to it.

        Words at the very end of what was heard stay pending: the end may have cut them.
        """
        cut_from = self._heard_to - self._policy.cut_tolerance
        whole = sum(1 for word in self._pending if word.end_sample <= cut_from)
        forced = self._commit(self._pending[:whole])
        self._pending = self._pending[whole:]
        if forced:
            self._settled_to = max(self._settled_to, forced[-1].end_sample)
        return forced

    def prompt(self, before_sample: int, max_characters: int = 200, language: str = "") -> str:
        """The last committed words that end by `before_sample`, as whisper's prompt.

        Empty after a long silence: whisper continues what it is prompted with, and across a
        silence that means repeating it.

        Args:
            before_sample: the first sample of the chunk to be prompted.
            max_characters: whole words are left off until the text is no longer than this.
            language: ISO 639-1 code; says whether words are joined by spaces.
        """
        said = [word for word in self._tail if word.end_sample <= before_sample]
        if not said or before_sample - said[-1].end_sample >= self._policy.prompt_silence:
            return ""
        texts: list[str] = []
        for word in reversed(said):
            if len(join_words([word.text, *texts], language)) > max_characters:
                break
            texts.insert(0, word.text)
        return join_words(texts, language)

    def _first_new(self, chunk_start: int, hypothesis: Sequence[Word]) -> tuple[int, bool]:
        """Index of the first hypothesis word that is not committed yet, and whether the seam holds.

        A seam without committed words in the overlap, or without an answer, has nothing to anchor
        and counts as held.
        """
        overlap = [word for word in self._tail if word.middle_sample > chunk_start]
        reach = self._frontier + self._policy.reach
        heard = [word for word in hypothesis if word.middle_sample <= reach]
        pairs = aligned(overlap, heard, self._policy.tolerance)
        if any(is_same_word(overlap[i], heard[j]) for i, j in pairs):
            return pairs[-1][1] + 1, True
        first = 1 if self._starts_with_remainder(chunk_start, hypothesis) else 0
        while first < len(hypothesis) and hypothesis[first].middle_sample <= self._frontier:
            first += 1
        return first, not (overlap and heard)

    def _starts_with_remainder(self, chunk_start: int, hypothesis: Sequence[Word]) -> bool:
        """Whether the first heard word is the rest of a committed one that the chunk's start cut.

        Its middle may lie past the frontier by the noise in its times. A word that ends inside
        what the chunk before has settled cannot be new there.
        """
        if not (self._tail and hypothesis):
            return False
        tolerance = self._policy.cut_tolerance
        return (
            self._tail[-1].end_sample >= chunk_start - tolerance
            and hypothesis[0].start_sample <= chunk_start + tolerance
            and hypothesis[0].end_sample <= self._settled_to
        )

    def _unreached(self, pending: Sequence[Word], hypothesis: Sequence[Word]) -> Sequence[Word]:
        """Pending words behind the hypothesis's last one that are sure enough to be kept.

        Whisper sometimes falls silent in the middle of a chunk, or its answer is not credible at
        all. That it says nothing is weaker evidence than the words it said before.
        """
        pairs = aligned(pending, hypothesis, self._policy.tolerance)
        behind = pending[pairs[-1][0] + 1 :] if pairs else pending
        heard_to = hypothesis[-1].end_sample if hypothesis else 0
        return [
            word
            for word in behind
            if word.middle_sample >= heard_to and word.probability >= CARRIED_PROBABILITY
        ]

    def _ordered(self, words: Sequence[Word]) -> tuple[Word, ...]:
        """The words with starts that never fall behind what is committed, nor behind each other."""
        floor = self._tail[-1].start_sample if self._tail else 0
        ordered: list[Word] = []
        for word in words:
            floor = max(floor, word.start_sample)
            ordered.append(
                replace(word, start_sample=floor, end_sample=max(floor, word.end_sample))
            )
        return tuple(ordered)

    def _commit(self, words: Sequence[Word]) -> tuple[Word, ...]:
        self._tail.extend(words)
        self._frontier = max([self._frontier, *(word.end_sample for word in words)])
        return tuple(words)


def _inside(word: Word, start: int, end: int) -> Word:
    """The word with its times inside `[start, end]`: whisper may stretch one beyond its audio."""
    word_start = min(max(word.start_sample, start), end)
    return replace(
        word, start_sample=word_start, end_sample=min(max(word.end_sample, word_start), end)
    )
