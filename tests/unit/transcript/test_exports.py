"""Transcripts as files."""

import io
from datetime import UTC, datetime

import av
import pytest
from av.subtitles.subtitle import AssSubtitle

from orchestration.session.events import TranslatedText
from orchestration.storage.archive_ports import StoredSegment
from orchestration.storage.values import SessionRow, SessionSpec
from orchestration.transcript.exports import (
    MAX_CUE_LINE_CHARACTERS,
    to_srt,
    to_text,
    to_vtt,
    transcript_json,
)
from orchestration.transcript.segments import Segment, SpeakerName, TimedWord

MS = 1_000_000
HOUR_MS = 3_600_000


def stored(
    text: str,
    start_ms: int = 0,
    end_ms: int = 1000,
    *,
    name: str | None = "Ana",
    translations: tuple[TranslatedText, ...] = (),
) -> StoredSegment:
    segment = Segment(
        segment_id="s-1",
        revision=1,
        stream=0,
        start_ns=start_ms * MS,
        end_ns=end_ms * MS,
        speaker=SpeakerName("p-1", name, 0.9, "own_stream") if name is not None else None,
        language="en",
        words=(TimedWord(text, start_ms * MS, end_ms * MS, 0.9),),
    )
    return StoredSegment(segment, translations)


GOOD_IDEA = stored("Good idea.", 55_000, 56_234)
UNNAMED = stored("Then I think we are ready.", 65_700, 67_001, name=None)


def test_text_is_one_line_for_each_segment() -> None:
    assert to_text([GOOD_IDEA, UNNAMED]) == "Ana: Good idea.\nThen I think we are ready.\n"


def test_srt_numbers_its_cues() -> None:
    assert to_srt([GOOD_IDEA, UNNAMED]) == (
        "1\n00:00:55,000 --> 00:00:56,234\nAna: Good idea.\n"
        "\n"
        "2\n00:01:05,700 --> 00:01:07,001\nThen I think we are ready.\n"
    )


def test_vtt_names_voices() -> None:
    assert to_vtt([GOOD_IDEA, UNNAMED]) == (
        "WEBVTT\n"
        "\n"
        "00:00:55.000 --> 00:00:56.234\n<v Ana>Good idea.\n"
        "\n"
        "00:01:05.700 --> 00:01:07.001\nThen I think we are ready.\n"
    )


def test_nothing_said_is_still_a_file_of_its_format() -> None:
    assert to_text([]) == ""
    assert to_srt([]) == ""
    assert to_vtt([]) == "WEBVTT\n"


def test_hours_are_shown_with_as_many_digits_as_they_need() -> None:
    long_meeting = [
        stored("one", HOUR_MS, HOUR_MS + 1),
        stored("hundred", 100 * HOUR_MS + 61_002, 100 * HOUR_MS + 61_003),
    ]
    assert "01:00:00,000 --> 01:00:00,001" in to_srt(long_meeting)
    assert "100:01:01.002 --> 100:01:01.003" in to_vtt(long_meeting)


def test_a_cue_lasts_at_least_a_millisecond_and_starts_no_earlier_than_zero() -> None:
    assert "00:00:05,000 --> 00:00:05,001" in to_srt([stored("so", 5000, 5000)])
    assert "00:00:00,000 --> 00:00:00,040" in to_srt([stored("so", -20, 40)])


def test_cues_come_in_order_of_start() -> None:
    assert to_text([UNNAMED, GOOD_IDEA]) == to_text([GOOD_IDEA, UNNAMED])


def test_text_that_looks_like_syntax_leaves_the_formats_whole() -> None:
    hostile = stored("a --> b\n\n2\n<i>c</i> & 1 < 2", name="A<b>\nna & co")
    vtt = to_vtt([hostile])
    assert vtt.endswith(
        "\n<v A&lt;b&gt; na &amp; co>a --&gt; b 2 &lt;i&gt;c&lt;/i&gt; &amp; 1 &lt; 2\n"
    )
    assert vtt.count("-->") == 1
    srt = to_srt([hostile])
    assert srt.count("-->") == 1
    assert srt.count("\n") == 3
    assert "<i>" not in srt
    assert "1 < 2" in srt
    assert to_text([hostile]).count("\n") == 1


def test_srt_keeps_words_that_players_would_take_for_commands() -> None:
    words = ["{\\an8}up", "{\\b1}bold", "{y:i}tilted", "{c:$0000ff}", "<1>", "<00:01>", "C:\\new"]
    for word in words:
        cue = to_srt([stored(word, name=None)]).splitlines()[2]
        assert cue != word
        document = io.BytesIO(to_srt([stored(word)]).encode())
        with av.open(document, "r", format="srt") as file:
            (shown,) = [
                part.ass.decode()
                for packet in file.demux(subtitles=0)
                for part in packet.decode()
                if isinstance(part, AssSubtitle)
            ]
        assert shown.endswith(f",,Ana: {cue}")
    assert to_srt([stored("{a} 1 < 2 > 0 <3 \\o/")]).endswith("{a} 1 < 2 > 0 <3 \\o/\n")


def test_a_speaker_without_a_name_has_no_voice() -> None:
    assert to_vtt([stored("Hi.", name=" ")]).endswith("\nHi.\n")


def test_a_long_cue_is_two_balanced_lines() -> None:
    text = " ".join(["word"] * 25)
    first, second = to_srt([stored(text, name=None)]).splitlines()[2:]
    assert f"{first} {second}" == text
    assert abs(len(first) - len(second)) <= 5
    assert max(len(first), len(second)) <= MAX_CUE_LINE_CHARACTERS


def test_a_long_cue_without_spaces_is_broken_in_the_middle() -> None:
    vtt = to_vtt([stored("好" * 100, name=None)])
    assert vtt.splitlines()[-2:] == ["好" * 50, "好" * 50]


def test_the_space_behind_a_name_does_not_make_a_line_of_the_name() -> None:
    first, second = to_srt([stored("好" * 100)]).splitlines()[2:]
    assert first.startswith("Ana: 好")
    assert abs(len(first) - len(second)) <= 1


@pytest.mark.parametrize(
    "character", ["\N{THAI CHARACTER KO KAI}\u0e34\u0e49", "👩‍👩‍👧‍👦", "👍🏽", "🇵🇹"]
)
def test_no_visible_character_is_torn_by_a_line_end(character: str) -> None:
    for length in range(100, 108):
        text = "x" * length + character * 31 + "x" * length
        first, second = to_vtt([stored(text, name=None)]).splitlines()[-2:]
        assert first + second == text
        assert len(first.removeprefix("x" * length)) % len(character) == 0


def test_a_language_picks_its_translation_and_falls_back_to_the_original() -> None:
    segments = [
        stored("Hello.", translations=(TranslatedText("pt", "Olá.", "final"),)),
        stored("Bye.", 2000, 3000, translations=(TranslatedText("pt", "", "failed"),)),
        stored("Yes.", 4000, 5000, translations=(TranslatedText("de", "Ja.", "final"),)),
    ]
    assert to_text(segments, "pt") == "Ana: Olá.\nAna: Bye.\nAna: Yes.\n"
    assert to_text(segments, "en") == "Ana: Hello.\nAna: Bye.\nAna: Yes.\n"


def test_segments_without_text_make_no_cue() -> None:
    assert to_srt([stored(" ")]) == ""


def test_json_holds_the_session_its_segments_and_its_coverage() -> None:
    session = SessionRow(
        spec=SessionSpec("demo", language="en"),
        status="completed",
        status_detail=None,
        created_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        ended_at=None,
        zero_unix_ms=None,
        actor_name=None,
        epoch=1,
    )
    transcript = transcript_json(session, [GOOD_IDEA], [{"id": 0}], [{"stream": 0}])
    segments = transcript["segments"]
    assert isinstance(segments, list)
    assert isinstance(segments[0], dict)
    assert segments[0]["absolute_start"] == "2026-01-02T03:05:00.000Z"
    assert segments[0]["state"] == "final"
    assert {key: transcript[key] for key in ("session_id", "status", "language", "coverage")} == {
        "session_id": "demo",
        "status": "completed",
        "language": "en",
        "coverage": {"streams": [{"id": 0}], "gaps": [{"stream": 0}]},
    }
