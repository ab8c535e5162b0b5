"""Lost audio that is still held, heard after all."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestration.services.ports import Hypothesis
from orchestration.session.placed_words import placed_words
from orchestration.storage.values import SampleRange
from orchestration.transcript.hallucination import credible_words
from orchestration.transcript.lines import AttributedWord, Line, LineBuilder, LinePolicy
from orchestration.transcript.segments import SpeakerName
from orchestration.transcript.words import Word

NEVER_CAPTURED = frozenset({"capture_skipped"})
"""Why samples are lost that no repair can bring back: they were not sent."""

CONTEXT_MS = 1000
"""Audio around a lost range that is heard with it: whisper mishears words at an edge."""


@dataclass(frozen=True, slots=True)
class Repair:
    """Samples to hear again, and within them `lost`, whose words are wanted."""

    stream: int
    start: int
    end: int
    lost: SampleRange


def plan_repairs(
    stream: int,
    lost: Sequence[SampleRange],
    *,
    duration: int,
    sample_rate: int,
    max_chunk_ms: int,
    hopeless: frozenset[str] = NEVER_CAPTURED,
) -> list[Repair]:
    """Repairs of what is lost but for `hopeless` reasons, each short enough for one request."""
    context = CONTEXT_MS * sample_rate // 1000
    longest = max_chunk_ms * sample_rate // 1000 - 2 * context
    repairs = []
    for one in lost:
        if one.reason in hopeless:
            continue
        for start in range(one.start, one.end, longest):
            part = SampleRange(start, min(start + longest, one.end), one.reason)
            repairs.append(
                Repair(
                    stream, max(0, part.start - context), min(duration, part.end + context), part
                )
            )
    return repairs


def repaired_lines(
    repair: Repair,
    hypothesis: Hypothesis,
    sample_rate: int,
    speakers_of: Callable[[Sequence[Word]], Sequence[SpeakerName | None]],
) -> list[Line]:
    """The lines of the lost range: words whose middle lies in it."""
    placed = placed_words(
        credible_words(hypothesis).words,
        hypothesis,
        stream=repair.stream,
        sample_rate=sample_rate,
        start=repair.start,
        end=repair.end,
    )
    words = [w for w in placed if repair.lost.start <= w.middle_sample < repair.lost.end]
    attributed = [
        AttributedWord(word, speaker, hypothesis.language)
        for word, speaker in zip(words, speakers_of(words), strict=True)
    ]
    return LineBuilder(LinePolicy.from_ms(sample_rate)).add(attributed, utterance_over=True)
