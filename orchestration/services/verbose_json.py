"""OpenAI's `verbose_json` transcription, as several servers write it. Pure.

Speaches and the hosted services put words at the top level, whisper.cpp and WhisperX into the
segments; vLLM has segments alone and fills the figures that it does not know with -1. Servers that
diarize give a `speaker` with each segment, with each word, or both; the word's counts first.
"""

import math
from dataclasses import dataclass

from orchestration.errors import JsonObject, JsonValue
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

_UNKNOWN_FIGURE = -1.0

MAX_LABEL_CHARACTERS = 64
"""A longer diarization label is cut."""


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
    spread over it (`hypotheses.spread_words`).

    Raises:
        MalformedTranscription: a field is missing or of another type.
    """
    answer = _object(body, "the answer")
    spoken = normalise_language(_text(answer, "language") or language or UNDETERMINED)
    words = [_word(one) for one in _objects(answer, "words")]
    raw_segments = [_segment(one) for one in _objects(answer, "segments")]
    if not raw_segments:
        if "text" not in answer:
            raise MalformedTranscription("it has neither segments nor text")
        text = _text(answer, "text")
        raw_segments = [_RawSegment(text, 0.0, duration_ms / 1000, [], None, None, None, None)]
    if words and not any(segment.words for segment in raw_segments):
        _distribute(words, raw_segments)
    segments = (_assemble(segment, spoken, duration_ms) for segment in raw_segments)
    heard = tuple(segment for segment in segments if segment.words)
    return Hypothesis(spoken, heard, engine, label_scope=label_scope)


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
    if not any(math.isfinite(word.start_s) for word in segment.words):
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
        texts = punctuated(texts, plain_text(segment.text))
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
