"""Transcripts as files: plain text, SubRip (SRT), WebVTT and JSON.

Text is what people said, and may hold whatever the formats use as syntax. WebVTT has escapes
(https://www.w3.org/TR/webvtt1/); SRT has none, so that its arrow, its tags, and what players take
for those of ASS and MicroDVD are written with look-alike characters there.
"""

import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC

from orchestration.json_types import JsonObject, JsonValue
from orchestration.session.events import segment_json
from orchestration.storage.archive_ports import StoredSegment
from orchestration.storage.values import SessionRow
from orchestration.timing.units import NS_PER_MS

MAX_CUE_LINE_CHARACTERS = 84
"""A cue with longer text is broken into two lines of about equal length."""

_SRT_SYNTAX = re.compile(r"-->|<(?=[/!a-zA-Z]|[^\s<>][^<>]*>)|\{(?=\\|[a-zA-Z]:)|\\(?=[Nnh])")
_LOOKS_LIKE = {
    "-->": "→",
    "<": "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}",
    "{": "\N{FULLWIDTH LEFT CURLY BRACKET}",
    "\\": "\N{REVERSE SOLIDUS OPERATOR}",
}
_JOINER = "\N{ZERO WIDTH JOINER}"
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_FLAG_LETTERS = range(0x1F1E6, 0x1F200)


def to_text(segments: Sequence[StoredSegment], language: str | None = None) -> str:
    """One line for each segment, in order of start: `Name: text`.

    Args:
        segments: final segments.
        language: take the translation to this language where there is one.
    """
    return "".join(
        f"{_name_prefix(one)}{_text(one, language)}\n" for one in _spoken(segments, language)
    )


def to_srt(segments: Sequence[StoredSegment], language: str | None = None) -> str:
    """SubRip: numbered cues, `Name: text`. Arguments as for `to_text`."""
    return "\n".join(srt_cues(segments, 1, language))


def srt_cues(
    segments: Sequence[StoredSegment], first_number: int, language: str | None = None
) -> list[str]:
    """SubRip's cues, to be joined by line ends; the first one has `first_number`."""
    cues = []
    for number, one in enumerate(_spoken(segments, language), start=first_number):
        start_ms, end_ms = _cue_bounds_ms(one)
        text = f"{_name_prefix(one)}{_text(one, language)}"
        text = _SRT_SYNTAX.sub(lambda found: _LOOKS_LIKE[found[0]], text)
        times = f"{_timestamp(start_ms, ',')} --> {_timestamp(end_ms, ',')}"
        cues.append(f"{number}\n{times}\n{_in_two_lines(text)}\n")
    return cues


def to_vtt(segments: Sequence[StoredSegment], language: str | None = None) -> str:
    """WebVTT: cues with the speaker as voice. Arguments as for `to_text`."""
    return "\n".join(["WEBVTT\n", *vtt_cues(segments, language)])


def vtt_cues(segments: Sequence[StoredSegment], language: str | None = None) -> list[str]:
    """WebVTT's cues, to be joined by line ends behind its head."""
    cues = []
    for one in _spoken(segments, language):
        start_ms, end_ms = _cue_bounds_ms(one)
        name = _name(one)
        voice = f"<v {_vtt_escaped(name)}>" if name else ""
        text = _vtt_escaped(_in_two_lines(_text(one, language)))
        times = f"{_timestamp(start_ms, '.')} --> {_timestamp(end_ms, '.')}"
        cues.append(f"{times}\n{voice}{text}\n")
    return cues


def transcript_json(
    session: SessionRow,
    segments: Sequence[StoredSegment],
    coverage: Sequence[JsonObject],
    gaps: Sequence[JsonObject] = (),
) -> JsonObject:
    """The transcript as the HTTP API gives it.

    Args:
        session: the session's row; until its zero is known, its creation stands for it.
        segments: final segments, in order of start.
        coverage: each stream's, as from `StreamCoverage.to_json`.
        gaps: where audio was lost, as from `LostStretch.to_json`.
    """
    zero_unix_ms = session.zero_unix_ms
    if zero_unix_ms is None:
        zero_unix_ms = int(session.created_at.astimezone(UTC).timestamp() * 1000)
    finals: list[JsonValue] = [
        segment_json(one.segment, "final", zero_unix_ms, one.translations) for one in segments
    ]
    return {
        "session_id": session.spec.session_id,
        "status": session.status,
        "language": session.spec.language,
        "segments": finals,
        "coverage": {"streams": list(coverage), "gaps": list(gaps)},
    }


def _spoken(segments: Sequence[StoredSegment], language: str | None) -> list[StoredSegment]:
    """Segments with text, in order of start, as WebVTT demands of cues."""
    with_text = (one for one in segments if _text(one, language))
    return sorted(with_text, key=lambda one: one.segment.start_ns)


def _text(one: StoredSegment, language: str | None) -> str:
    if language is not None and language != one.segment.language:
        for translation in one.translations:
            text = _one_line(translation.text)
            if translation.language == language and translation.state == "final" and text:
                return text
    return _one_line(one.segment.text)


def _name(one: StoredSegment) -> str:
    return _one_line(one.segment.speaker.name) if one.segment.speaker else ""


def _name_prefix(one: StoredSegment) -> str:
    name = _name(one)
    return f"{name}: " if name else ""


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _in_two_lines(text: str) -> str:
    if len(text) <= MAX_CUE_LINE_CHARACTERS:
        return text
    middle = len(text) // 2
    near = range(len(text) // 4, len(text) - len(text) // 4)
    spaces = [i for i in near if text[i] == " "]
    # Languages without spaces have one behind the speaker's name, or at a foreign word.
    places = spaces or [i for i in near if _may_break_before(text, i)] or [middle]
    cut = min(places, key=lambda i: abs(i - middle))
    return f"{text[:cut]}\n{text[cut:].removeprefix(' ')}"


def _may_break_before(text: str, i: int) -> bool:
    """Whether no visible character is torn: a letter and its marks, an emoji of several, a flag."""
    before, after = text[i - 1], text[i]
    is_flag = ord(before) in _FLAG_LETTERS and ord(after) in _FLAG_LETTERS
    is_mark = unicodedata.category(after).startswith("M") or ord(after) in _SKIN_TONES
    return not (is_flag or is_mark or _JOINER in (before, after))


def _vtt_escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _cue_bounds_ms(one: StoredSegment) -> tuple[int, int]:
    """Start and end; a cue must last, even one whose words whisper gave no length."""
    start_ms = max(0, one.segment.start_ns // NS_PER_MS)
    return start_ms, max(start_ms + 1, one.segment.end_ns // NS_PER_MS)


def _timestamp(milliseconds: int, point: str) -> str:
    """`HH:MM:SS` and milliseconds; hours take more digits when they need them."""
    total_s, ms = divmod(milliseconds, 1000)
    total_minutes, s = divmod(total_s, 60)
    hours, minutes = divmod(total_minutes, 60)
    return f"{hours:02}:{minutes:02}:{s:02}{point}{ms:03}"
