"""Whose words a platform's captions say they are: their text found in the transcript."""

from bisect import bisect_left, bisect_right, insort
from collections import deque
from dataclasses import dataclass
from difflib import SequenceMatcher

from orchestration.transcript.words import normalise_word

EARLY_NS = 6_000_000_000
LATE_NS = 3_000_000_000
"""A caption's words lie from this long before its start to this long after its end."""

MIN_MATCHED_WORDS = 3
MIN_MATCHED_SHARE = 0.6
"""Of a caption's words that are found in the transcript, so that "yes, yes" finds nobody's."""

MAX_BRIDGED_WORDS = 2
"""Words between two that are found which the two recognisers heard differently."""

MAX_WORDS = 2_000
"""Final words in which captions are looked for: ten minutes of talk."""

MAX_WAITING = 50
"""Captions that wait for their words to be final."""

MAX_SPANS = 20_000
"""Words with a caption's name; the oldest go first: by then their segments are long settled."""


@dataclass(frozen=True, slots=True)
class Caption:
    """What the platform wrote down, and who it says spoke."""

    participant_id: str
    text: str
    start_ns: int
    end_ns: int


@dataclass(frozen=True, slots=True, order=True)
class CaptionedSpan:
    """A word that a caption has as well, in a stream."""

    start_ns: int
    end_ns: int
    stream: int
    participant_id: str


class CaptionText:
    """Aligns captions with final words as both come."""

    def __init__(self) -> None:
        self._words: deque[tuple[int, int, int, str]] = deque(maxlen=MAX_WORDS)
        self._waiting: deque[Caption] = deque(maxlen=MAX_WAITING)
        self._spans: list[CaptionedSpan] = []

    @property
    def spans(self) -> list[CaptionedSpan]:
        """Words with a caption's name, in order."""
        return self._spans

    def heard(self, stream: int, start_ns: int, end_ns: int, text: str) -> None:
        """A final word."""
        word = normalise_word(text)
        if word:
            self._words.append((start_ns, end_ns, stream, word))

    def said(self, caption: Caption) -> None:
        """A caption came; its words may not be final yet."""
        self._waiting.append(caption)

    def match(self) -> list[CaptionedSpan]:
        """Find waiting captions' words; returns the spans that are news."""
        if not self._waiting or not self._words:
            return []
        heard_to_ns = self._words[-1][1]
        news: list[CaptionedSpan] = []
        for caption in list(self._waiting):
            spans = self._found(caption)
            if spans or heard_to_ns > caption.end_ns + LATE_NS:
                self._waiting.remove(caption)
            for span in spans:
                if self.speaker_of(span.stream, span.start_ns, span.end_ns) is None:
                    insort(self._spans, span)
                    news.append(span)
        if len(self._spans) > MAX_SPANS:
            del self._spans[: MAX_SPANS // 10]
        return news

    def speaker_of(self, stream: int, start_ns: int, end_ns: int) -> str | None:
        """Who a caption says spoke the word here."""
        first = bisect_left(self._spans, start_ns, key=lambda one: one.start_ns)
        last = bisect_right(self._spans, start_ns, key=lambda one: one.start_ns)
        for span in self._spans[first:last]:
            if span.stream == stream and span.end_ns == end_ns:
                return span.participant_id
        return None

    def _found(self, caption: Caption) -> list[CaptionedSpan]:
        wanted = [word for word in map(normalise_word, caption.text.split()) if word]
        near = [
            word
            for word in self._words
            if caption.start_ns - EARLY_NS <= word[0] and word[1] <= caption.end_ns + LATE_NS
        ]
        if len(wanted) < MIN_MATCHED_WORDS or not near:
            return []
        matcher = SequenceMatcher(None, wanted, [word[3] for word in near], autojunk=False)
        pairs = [
            (block.a + i, block.b + i)
            for block in matcher.get_matching_blocks()
            for i in range(block.size)
        ]
        if len(pairs) < max(MIN_MATCHED_WORDS, MIN_MATCHED_SHARE * len(wanted)):
            return []
        runs: list[list[tuple[int, int]]] = [[pairs[0]]]
        for pair in pairs[1:]:
            a, b = runs[-1][-1]
            if max(pair[0] - a, pair[1] - b) <= MAX_BRIDGED_WORDS + 1:
                runs[-1].append(pair)
            else:
                runs.append([pair])
        # A single word far from the others is likely to be somebody else's.
        positions = [at for run in runs if len(run) > 1 for at in range(run[0][1], run[-1][1] + 1)]
        return [
            CaptionedSpan(near[at][0], near[at][1], near[at][2], caption.participant_id)
            for at in positions
        ]
