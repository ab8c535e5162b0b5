import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.json_types import JsonValue
from orchestration.services.hypotheses import UNTIMED_PROBABILITY
from orchestration.services.ports import Hypothesis, HypothesisWord
from orchestration.services.verbose_json import MalformedTranscription, parse_verbose_json

CHUNK_MS = 4000


def parsed(body: JsonValue, language: str | None = None) -> Hypothesis:
    return parse_verbose_json(body, duration_ms=CHUNK_MS, language=language, engine="test")


def texts(hypothesis: Hypothesis) -> list[list[str]]:
    return [[word.text for word in segment.words] for segment in hypothesis.segments]


def test_hosted_answer_with_bare_words_at_the_top_gets_punctuation_from_its_segments() -> None:
    hypothesis = parsed(
        {
            "task": "transcribe",
            "language": "english",
            "duration": 4.0,
            "text": "Good morning. Shall we?",
            "segments": [
                {
                    "id": 0,
                    "start": 0.0,
                    "end": 1.0,
                    "text": " Good morning.",
                    "avg_logprob": -0.5,
                    "no_speech_prob": 0.02,
                    "compression_ratio": 0.9,
                },
                {"id": 1, "start": 1.0, "end": 2.0, "text": " Shall we?"},
            ],
            "words": [
                {"word": "Good", "start": 0.1, "end": 0.4},
                {"word": "morning", "start": 0.4, "end": 0.9},
                {"word": "Shall", "start": 1.1, "end": 1.4},
                {"word": "we", "start": 1.4, "end": 1.8},
            ],
        }
    )
    assert hypothesis.language == "en"
    assert texts(hypothesis) == [["Good", "morning."], ["Shall", "we?"]]
    first, second = hypothesis.segments
    assert first.words[0] == HypothesisWord("Good", 100, 400, math.exp(-0.5))
    assert first.no_speech_probability == 0.02
    assert first.average_log_probability == -0.5
    assert first.compression_ratio == 0.9
    assert second.words[0].probability == UNTIMED_PROBABILITY
    assert second.no_speech_probability is None


def test_whisper_cpp_tokens_in_segments_become_words() -> None:
    tokens = [(" Dash", 0.0, 0.2, 0.9), ("wood", 0.2, 0.5, 0.7), (",", 0.5, 0.5, 0.8)]
    hypothesis = parsed(
        {
            "language": "english",
            "segments": [
                {
                    "text": " Dashwood,",
                    "start": 0.0,
                    "end": 0.5,
                    "words": [
                        {"word": word, "start": start, "end": end, "t_dtw": -1, "probability": p}
                        for word, start, end, p in tokens
                    ],
                    "avg_logprob": -0.3,
                    "no_speech_prob": 0.1,
                }
            ],
        }
    )
    assert texts(hypothesis) == [["Dashwood,"]]
    assert hypothesis.segments[0].words[0].end_ms == 500


def test_vllm_answer_without_word_times_is_spread_and_its_placeholders_are_unknown() -> None:
    hypothesis = parsed(
        {
            "duration": "4.0",
            "language": "en",
            "text": " Hi there",
            "segments": [
                {
                    "start": 0.0,
                    "end": 3.5,
                    "text": " Hi there",
                    "avg_logprob": -1.0,
                    "compression_ratio": -1.0,
                    "no_speech_prob": -1.0,
                }
            ],
        }
    )
    (segment,) = hypothesis.segments
    assert segment.words == (
        HypothesisWord("Hi", 0, 1000, UNTIMED_PROBABILITY),
        HypothesisWord("there", 1000, 3500, UNTIMED_PROBABILITY),
    )
    figures = (segment.no_speech_probability, segment.average_log_probability)
    assert figures == (None, None)
    assert segment.compression_ratio is None


def test_text_alone_is_spread_over_the_whole_chunk() -> None:
    (segment,) = parsed({"text": "Yes"}, language="en").segments
    assert segment.words == (HypothesisWord("Yes", 0, CHUNK_MS, UNTIMED_PROBABILITY),)


def test_the_language_asked_for_stands_where_the_answer_has_none() -> None:
    assert parsed({"text": ""}, language="pt-BR").language == "pt"
    assert parsed({"text": ""}).language == "und"


def test_bare_words_of_another_script_stand_apart_in_chinese_as_they_do_in_the_text() -> None:
    texts = ["用", "machine", "learning", "20", "26", "年"]
    words: list[JsonValue] = [
        {"word": text, "start": 0.1 * at, "end": 0.1 * at + 0.1} for at, text in enumerate(texts)
    ]
    body: JsonValue = {"text": "用 machine learning 2026年", "language": "zh", "words": words}
    heard = [word.text for segment in parsed(body).segments for word in segment.words]
    assert heard == ["用", "machine", "learning", "2026", "年"]


@pytest.mark.parametrize("time", [0, 0.0, 3.5, None])
def test_segments_that_all_have_the_same_time_are_spread_over_the_chunk(time: JsonValue) -> None:
    texts = ("Good morning.", "Who is there?")
    segments: list[JsonValue] = [{"text": text, "start": time, "end": time} for text in texts]
    first, second = parsed({"segments": segments}).segments
    assert (first.words[0].start_ms, second.words[-1].end_ms) == (0, CHUNK_MS)
    assert first.words[-1].end_ms == second.words[0].start_ms == CHUNK_MS // 2


def test_words_that_all_have_the_same_time_are_spread_over_their_segment() -> None:
    words: list[JsonValue] = [{"word": text, "start": 0, "end": 0} for text in (" Yes", " no")]
    segment: JsonValue = {"text": " Yes no", "start": 1, "end": 2, "words": words}
    (heard,) = parsed({"segments": [segment]}).segments
    assert [(word.start_ms, word.end_ms) for word in heard.words] == [(1000, 1600), (1600, 2000)]


def test_an_answer_longer_than_whisper_can_write_is_refused() -> None:
    with pytest.raises(MalformedTranscription, match="characters"):
        parsed({"text": "very " * 100_000})
    assert parsed({"text": " characteristics" * 448}).segments


def test_silence_is_no_segment() -> None:
    assert parsed({"text": "", "segments": [], "words": [], "language": "en"}).segments == ()


def labels(body: JsonValue) -> list[str | None]:
    return [word.label for segment in parsed(body).segments for word in segment.words]


def test_a_segments_label_is_its_words() -> None:
    body: JsonValue = {"segments": [{"text": "Oh yes", "start": 0, "end": 1, "speaker": "S1"}]}
    assert labels(body) == ["S1", "S1"]


def test_a_words_own_label_counts_before_its_segments() -> None:
    words: list[JsonValue] = [
        {"word": "Oh", "start": 0.0, "end": 0.4, "speaker": "SPEAKER_01"},
        {"word": "yes", "start": 0.5, "end": 0.9},
        {"word": "no", "start": 1.0, "end": 1.4, "speaker": 7},
    ]
    segment: JsonValue = {
        "text": "Oh yes no",
        "start": 0,
        "end": 2,
        "speaker": "SPEAKER_00",
        "words": words,
    }
    assert labels({"segments": [segment]}) == ["SPEAKER_01", "SPEAKER_00", "7"]


def test_words_at_the_top_level_keep_their_labels() -> None:
    words: list[JsonValue] = [{"word": "Hi", "start": 0.1, "end": 0.4, "speaker": "A"}]
    segments: list[JsonValue] = [{"text": "Hi", "start": 0, "end": 1}]
    assert labels({"segments": segments, "words": words}) == ["A"]


@pytest.mark.parametrize("time", ["NaN", "Infinity", "-Infinity", "-3", "99", "1" + "0" * 400])
def test_impossible_times_are_clipped_to_the_chunk(time: str) -> None:
    body = json.loads(
        '{"segments": [{"text": " a b", "start": %s, "end": %s, "words": ['
        '{"word": " a", "start": 1.0, "end": %s}, {"word": " b", "start": %s, "end": %s}]}]}'
        % ((time,) * 5)
    )
    (segment,) = parsed(body).segments
    assert all(0 <= word.start_ms <= word.end_ms <= CHUNK_MS for word in segment.words)
    assert len(segment.words) == 2


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        "text",
        {},
        {"error": "x"},
        {"text": None, "error": "out of memory"},
        {"text": 3},
        {"text": "a", "segments": {}},
        {"segments": [3]},
        {"segments": [{"text": "a", "start": "soon"}]},
        {"segments": [{"text": "a", "start": True}]},
        {"segments": [{"words": [{"start": 0, "end": 1}]}]},
        {"text": "a", "language": 7},
    ],
)
def test_what_is_no_transcription_is_refused(body: JsonValue) -> None:
    with pytest.raises(MalformedTranscription):
        parsed(body)


scalars = st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8)
words = st.fixed_dictionaries(
    {"word": scalars}, optional={"start": scalars, "end": scalars, "probability": scalars}
)
segments = st.fixed_dictionaries(
    {},
    optional={
        "text": scalars,
        "start": scalars,
        "end": scalars,
        "avg_logprob": scalars,
        "words": st.lists(words, max_size=3) | scalars,
    },
)
answers = st.fixed_dictionaries(
    {},
    optional={
        "text": scalars,
        "language": scalars,
        "words": st.lists(words, max_size=3) | scalars,
        "segments": st.lists(segments | scalars, max_size=3) | scalars,
    },
)


@given(answers)
def test_any_json_gives_words_in_the_chunk_or_the_documented_error(body: JsonValue) -> None:
    try:
        hypothesis = parsed(body)
    except MalformedTranscription:
        return
    for segment in hypothesis.segments:
        assert segment.words
        assert all(0 <= word.start_ms <= word.end_ms <= CHUNK_MS for word in segment.words)
