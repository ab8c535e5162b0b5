"""OpenAI's `verbose_json` transcription, as several servers write it. Pure.

Speaches and the hosted services put words at the top level, whisper.cpp and WhisperX into the
segments; vLLM has segments alone and fills the figures that it does not know with -1. Servers that
diarize give a `speaker` with each segment, with each word, or both; the word's counts first.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from orchestration.json_types import JsonObject, JsonValue
from orchestration.services.hypotheses import (
    UNTIMED_PROBABILITY,
    WordPiece,
    clip_ms,
    punctuated,
    spread_words,
    whole_words,
)
from orchestration.services.languages import UNDETERMINED, normalise_language
from orchestration.services.plain_text import plain_text
from orchestration.services.ports import (
    Hypothesis,
    HypothesisSegment,
    HypothesisWord,
    LabelScope,
)
from orchestration.transcript.words import UNSPACED_LANGUAGES

_UNKNOWN_FIGURE = -1.0

MAX_LABEL_CHARACTERS = 64
"""A longer diarization label is cut."""

MAX_CHARACTERS = 20_000
MAX_CHARACTERS_PER_S = 2_000
"""Of an answer's words and text, for each second of audio beside `MAX_CHARACTERS`. Whisper writes
448 tokens at most for each 30 s, twice in an answer, and the longest have some 20 characters; more
is no transcription, and stitching it would hold up its session."""


class MalformedTranscription(ValueError):
    """The JSON is not a `verbose_json` transcription; the message says where."""


@dataclass(frozen=True, slots=True)
class _RawSegment:
    text: str
    start_s: float
    end_s: float
    words: list[WordPiece]
    no_speech_probability: float | None
    average_log_probability: float | None
    compression_ratio: float | None
    label: str | None


def parse_verbose_json(
    body: JsonValue,
    *,
    duration_ms: int,
    language: str | None,
    engine: str,
    label_scope: LabelScope = "answer",
) -> Hypothesis:
    """The hypothesis in an answer for a chunk of `duration_ms`; `language` is what was asked.

    Times outside the chunk are clipped to it. Without any word times, a segment's words are
    spread over it (`hypotheses.spread_words`), and without any times the segments over the chunk.

    Raises:
        MalformedTranscription: a field is missing or of another type, or there is too much text.
    """
    answer = _object(body, "the answer")
    spoken = normalise_language(_text(answer, "language") or language or UNDETERMINED)
    words = [_word(one) for one in _objects(answer, "words")]
    raw_segments = [_segment(one) for one in _objects(answer, "segments")]
    if not raw_segments:
        # Null in place of both is an engine that failed, not silence: that would lose the audio.
        if answer.get("text") is None and answer.get("segments") is None:
            raise MalformedTranscription("it has neither segments nor text")
        text = _text(answer, "text")
        raw_segments = [_RawSegment(text, 0.0, duration_ms / 1000, [], None, None, None, None)]
    if words and not any(segment.words for segment in raw_segments):
        _distribute(words, raw_segments)
    _check_length(raw_segments, duration_ms)
    raw_segments = _with_times(raw_segments, duration_ms)
    segments = (_assemble(segment, spoken, duration_ms) for segment in raw_segments)
    heard = tuple(segment for segment in segments if segment.words)
    return Hypothesis(spoken, heard, engine, label_scope=label_scope)


def _check_length(segments: Sequence[_RawSegment], duration_ms: int) -> None:
    """Raises MalformedTranscription where there is more text than whisper can write."""
    length = sum(len(one.text) + sum(len(word.text) for word in one.words) for one in segments)
    most = MAX_CHARACTERS + MAX_CHARACTERS_PER_S * duration_ms // 1000
    if length > most:
        raise MalformedTranscription(f"it has {length} characters, of at most {most}")


def _with_times(segments: list[_RawSegment], duration_ms: int) -> list[_RawSegment]:
    """The segments, over the chunk by their characters where none has a length: some servers
    answer 0 for times that they do not know."""
    if any(one.end_s > one.start_s or one.words for one in segments):
        return segments
    total = sum(len(one.text) for one in segments) or 1
    placed: list[_RawSegment] = []
    written = 0
    for one in segments:
        start_s = duration_ms / 1000 * written / total
        written += len(one.text)
        end_s = duration_ms / 1000 * written / total
        placed.append(replace(one, start_s=start_s, end_s=end_s))
    return placed


def _distribute(words: list[WordPiece], segments: list[_RawSegment]) -> None:
    """Give every top-level word to the last segment that starts no later than its middle."""
    index = 0
    for word in words:
        middle_s = (word.start_s + word.end_s) / 2
        while index + 1 < len(segments) and segments[index + 1].start_s <= middle_s:
            index += 1
        segments[index].words.append(word)


def _assemble(segment: _RawSegment, language: str, duration_ms: int) -> HypothesisSegment:
    return HypothesisSegment(
        words=_words(segment, language, duration_ms),
        no_speech_probability=segment.no_speech_probability,
        average_log_probability=segment.average_log_probability,
        compression_ratio=segment.compression_ratio,
    )


def _words(segment: _RawSegment, language: str, duration_ms: int) -> tuple[HypothesisWord, ...]:
    if not _are_timed(segment.words):
        start_ms = clip_ms(segment.start_s, duration_ms, 0)
        end_ms = max(start_ms, clip_ms(segment.end_s, duration_ms, duration_ms))
        return spread_words(segment.text, language, start_ms, end_ms, segment.label)
    unknown = (
        UNTIMED_PROBABILITY
        if segment.average_log_probability is None
        else math.exp(min(segment.average_log_probability, 0.0))
    )
    texts = [word.text for word in segment.words]
    if not any(text.startswith(" ") for text in texts):
        is_unspaced = language in UNSPACED_LANGUAGES
        texts = punctuated(texts, plain_text(segment.text), marks_spaces=is_unspaced)
    pieces = [
        WordPiece(
            text,
            word.start_s,
            word.end_s,
            unknown if math.isnan(word.probability) else word.probability,
            word.label or segment.label,
        )
        for text, word in zip(texts, segment.words, strict=True)
    ]
    return whole_words(pieces, language, duration_ms)


def _are_timed(words: Sequence[WordPiece]) -> bool:
    """Whether any word says when it is. Several at one moment, without length, do not."""
    starts = {word.start_s for word in words if math.isfinite(word.start_s)}
    if len(words) > 1 and len(starts) == 1:
        return any(word.end_s > word.start_s for word in words)
    return bool(starts)


def _segment(fields: JsonObject) -> _RawSegment:
    return _RawSegment(
        text=_text(fields, "text"),
        start_s=_number(fields, "start"),
        end_s=_number(fields, "end"),
        words=[_word(one) for one in _objects(fields, "words")],
        no_speech_probability=_figure(fields, "no_speech_prob"),
        average_log_probability=_figure(fields, "avg_logprob"),
        compression_ratio=_figure(fields, "compression_ratio"),
        label=_label(fields),
    )


def _word(fields: JsonObject) -> WordPiece:
    if not isinstance(fields.get("word"), str):
        raise MalformedTranscription("a word has no `word`")
    return WordPiece(
        text=_text(fields, "word"),
        start_s=_number(fields, "start"),
        end_s=_number(fields, "end"),
        probability=_number(fields, "probability"),
        label=_label(fields),
    )


def _label(fields: JsonObject) -> str | None:
    """A diarization label; some servers number them."""
    value = fields.get("speaker")
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if value is not None and not isinstance(value, str):
        raise MalformedTranscription("`speaker` is not text")
    return value[:MAX_LABEL_CHARACTERS] if value else None


def _object(value: JsonValue, name: str) -> JsonObject:
    if not isinstance(value, dict):
        raise MalformedTranscription(f"{name} is not an object")
    return value


def _objects(fields: JsonObject, name: str) -> list[JsonObject]:
    value = fields.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise MalformedTranscription(f"`{name}` is not a list")
    return [_object(one, f"an item of `{name}`") for one in value]


def _text(fields: JsonObject, name: str) -> str:
    value = fields.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise MalformedTranscription(f"`{name}` is not text")
    return value


def _number(fields: JsonObject, name: str) -> float:
    """The field as a float; not a number when it is absent."""
    value = fields.get(name)
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise MalformedTranscription(f"`{name}` is not a number")
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _figure(fields: JsonObject, name: str) -> float | None:
    value = _number(fields, name)
    return value if math.isfinite(value) and value != _UNKNOWN_FIGURE else None
