"""Diarization labels: an upstream's own names for voices, made unique within a session."""

from collections.abc import Sequence
from itertools import groupby

from orchestration.services.ports import Hypothesis, HypothesisWord

ANSWER_PREFIX = "answer"
SESSION_PREFIX = "voice"

FLICKER_MS = 700
"""A longer word between two of another voice keeps its label."""


def label_id(hypothesis: Hypothesis, stream: int, chunk_start: int, raw: str | None) -> str | None:
    """The session-wide id of a label in an engine's answer to the chunk that starts there.

    `speaker 0` of one server is not `speaker 0` of another, nor of another stream; and where the
    server diarizes each request by itself, not that of the next answer either.
    """
    if raw is None:
        return None
    name = raw.replace("#", "_")
    if hypothesis.label_scope == "answer":
        return f"{ANSWER_PREFIX}:{stream}:{chunk_start}#{name}"
    return f"{SESSION_PREFIX}:{stream}:{hypothesis.labelled_by or hypothesis.engine}#{name}"


def steady_labels(words: Sequence[HypothesisWord]) -> list[str | None]:
    """The words' labels without flicker: a single short word between words of one other voice is
    that voice's as well, unless its probability is told. Diarizers err most on what is too short to
    have a voice."""
    labels = [word.label for word in words]
    runs = [list(run) for _, run in groupby(range(len(words)), key=lambda at: labels[at])]
    for before, run, after in zip(runs, runs[1:], runs[2:], strict=False):
        word = words[run[0]]
        is_short = len(run) == 1 and word.end_ms - word.start_ms <= FLICKER_MS
        is_short = is_short and word.label_probability is None
        if is_short and labels[before[-1]] == labels[after[0]] and len(before) + len(after) > 2:
            labels[run[0]] = labels[before[-1]]
    return labels


def group_of(label: str) -> str:
    """Labels of one group are different people: those of one upstream, or of one answer."""
    return label.rpartition("#")[0]


def is_lasting(label: str) -> bool:
    """Whether the label goes on meaning the same voice."""
    return label.startswith(f"{SESSION_PREFIX}:")


def is_label(speaker_id: str) -> bool:
    """Whether a speaker's id is a label's rather than a participant's."""
    return speaker_id.startswith((f"{SESSION_PREFIX}:", f"{ANSWER_PREFIX}:"))
