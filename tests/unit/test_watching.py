"""A transcript as `orchestration watch` shows it."""

import io
from typing import Any

import pytest
from rich.console import Console

from orchestration.client.live_transcript import LiveTranscript
from orchestration.commands.rendering import (
    LivePrinter,
    PlainPrinter,
    clock_text,
    coverage_line,
    progress_line,
    safe,
    transcript_printer,
)
from tests.unit.command_line import run, service_in_a_thread
from tests.unit.watched_meeting import COVERAGE, MEETING, segment


def test_watch_without_a_terminal_prints_finals_and_translations() -> None:
    with service_in_a_thread() as service:
        service.live_parts = [(MEETING, 1000)]
        service.answers["GET", "/api/sessions/s1/coverage"] = (200, COVERAGE)
        result = run("watch", "s1", "--url", service.url)
    assert result.stdout == "[0:01] Ana: Good morning.\n[0:01] (pt) Bom dia.\n[1:05] Ana: [2JBye.\n"
    assert result.stderr == (
        "completed: 10.0 s of audio: 7.5 s transcribed, 2.0 s silent, 0.0 s pending, 0.5 s lost\n"
    )


def test_a_terminal_shows_pending_text_and_then_the_settled_line() -> None:
    output = io.StringIO()
    console = Console(file=output, force_terminal=True, width=100, highlight=False)
    transcript = LiveTranscript()
    printer = LivePrinter(console, transcript)
    printer.start()
    for message in MEETING[:2]:
        printer.update(message, transcript.apply(message))
    assert "Good mor" in output.getvalue()
    for message in MEETING[2:]:
        printer.update(message, transcript.apply(message))
    printer.stop()
    shown = output.getvalue()
    assert shown.rindex("Good morning.") < shown.rindex("Bom dia.") < shown.rindex("[2JBye.")
    assert "\x1b[2JBye" not in shown


def gap(start: float, end: float, reason: str = "overload") -> dict[str, Any]:
    return {"type": "gap", "seq": 9, "stream": 0, "start": start, "end": end, "reason": reason}


@pytest.mark.parametrize("terminal", [True, False])
def test_where_audio_was_lost_is_told_and_a_moment_is_not(terminal: bool) -> None:
    output = io.StringIO()
    console = Console(file=output, force_terminal=terminal, width=100, highlight=False)
    transcript = LiveTranscript()
    printer = transcript_printer(console, transcript)
    printer.start()
    left_out = gap(60, 66, "capture_skipped")
    for message in (*MEETING[:1], gap(31.2, 43.2), gap(50, 50.9), left_out):
        printer.update(message, transcript.apply(message))
    printer.stop()
    assert "0:31" in output.getvalue()
    assert output.getvalue().count("s of audio lost") == 1
    assert "12.0 s of audio lost" in output.getvalue()


def test_a_name_found_late_repaints_its_lines() -> None:
    transcript = LiveTranscript()
    for message in MEETING:
        transcript.apply(message)
    ben = {"id": "p-2", "name": "Ben", "confidence": 0.9, "method": "temporal"}
    named = {"type": "speaker", "seq": 5, "speaker": ben}
    transcript.apply({**named, "segments": [{"segment_id": "0-1", "revision": 1}]})
    assert transcript.speaker_names == ["Ana", "Ben"]
    colours = [transcript.colour(one) for one in transcript.finals.values()]
    assert len(set(colours)) == 2


def test_nothing_is_pending_that_is_final_or_of_a_session_that_is_over() -> None:
    transcript = LiveTranscript()
    for message in (MEETING[0], MEETING[2], MEETING[1]):
        transcript.apply(message)
    assert transcript.pending_in_order() == []
    transcript.apply({"type": "segment", "segment": segment(1, 65.5, "By", "pending")})
    assert len(transcript.pending_in_order()) == 1
    transcript.apply(MEETING[-1])
    assert transcript.pending_in_order() == []


def test_a_viewer_takes_up_languages_that_change() -> None:
    transcript = LiveTranscript()
    transcript.apply({**MEETING[0], "session": {"title": "Weekly", "target_languages": ["pt"]}})
    told = {"type": "session", "seq": 1, "language": "en", "target_languages": ["es"]}
    transcript.apply(told)
    assert transcript.target_languages == ["es"]
    assert (transcript.session["title"], transcript.session["language"]) == ("Weekly", "en")


def test_a_plain_snapshot_prints_what_was_said_before() -> None:
    output = io.StringIO()
    transcript = LiveTranscript()
    printer = PlainPrinter(Console(file=output, width=40), transcript)
    said = segment(0, 3725, "Late words that are longer than the terminal is wide.")
    said["translations"] = {"pt": {"text": "Tarde.", "state": "final"}}
    message = {**MEETING[0], "segments": [said]}
    printer.update(message, transcript.apply(message))
    assert output.getvalue() == (
        "[1:02:05] Ana: Late words that are longer than the terminal is wide.\n"
        "[1:02:05] (pt) Tarde.\n"
    )


def test_figures_read_as_people_say_them() -> None:
    assert [clock_text(seconds) for seconds in (0, 65.9, 3600)] == ["0:00", "1:05", "1:00:00"]
    assert safe("a\x1b[31m\nb") == "a[31m b"
    assert safe("10\u202f000\u00a0€\u2028می\u200cکنم") == "10 000 € می\u200cکنم"
    assert safe("\u202e\x9b1m\x07") == "1m"
    assert coverage_line(COVERAGE["streams"]).startswith("10.0 s of audio: 7.5 s transcribed")
    assert progress_line(COVERAGE["streams"]) == "7.5 s transcribed, 2.0 s silent, 0.5 s lost"


OVER = {**MEETING[-1], "seq": 1}


class Pipe:
    """What a reader of the plain output has got."""

    def __init__(self) -> None:
        self._output = io.StringIO()
        self._transcript = LiveTranscript()
        self._printer = PlainPrinter(Console(file=self._output, width=40), self._transcript)

    def news(self, message: dict[str, Any]) -> list[str]:
        """The lines that a message brings."""
        before = len(self._output.getvalue())
        self._printer.update(message, self._transcript.apply(message))
        return self._output.getvalue()[before:].splitlines()


def test_a_line_that_gets_another_name_is_printed_with_it_once() -> None:
    pipe = Pipe()
    said = segment(0, 1.0, "Good morning.")
    assert pipe.news({"type": "segment", "segment": said | {"speaker": None}}) == [
        "[0:01] Unknown: Good morning."
    ]
    ben = {"id": "p-2", "name": "Ben", "confidence": 0.9, "method": "temporal"}
    unheard = {"segment_id": "0-9", "revision": 1}
    named = {"type": "speaker", "seq": 2, "speaker": ben}
    told = {**named, "segments": [{"segment_id": "0-0", "revision": 1}, unheard]}
    assert pipe.news(told) == ["[0:01] now Ben: Good morning."]
    # Surer, and still Ben.
    assert pipe.news({**told, "speaker": {**ben, "confidence": 1.0}}) == []
    assert pipe.news({**told, "speaker": None}) == ["[0:01] now Unknown: Good morning."]


def test_after_an_outage_only_what_is_new_is_printed() -> None:
    pipe = Pipe()
    said = segment(0, 1.0, "Good morning.")
    said["translations"] = {"pt": {"text": "Bom dia.", "state": "final"}}
    begin = {**MEETING[0], "segments": [said]}
    assert pipe.news(begin) == ["[0:01] Ana: Good morning.", "[0:01] (pt) Bom dia."]
    missed = segment(1, 65.5, "Bye.")
    assert pipe.news({**MEETING[0], "seq": 9_000, "segments": [said, missed]}) == [
        "[1:05] Ana: Bye."
    ]
    corrected = segment(1, 65.5, "Bye now.") | {"revision": 2, "corrected": True}
    assert pipe.news({"type": "segment", "segment": corrected}) == ["[1:05] Ana: Bye now."]


def test_a_long_meeting_is_shown_from_its_beginning() -> None:
    begin = {**MEETING[0], "truncated": True, "segments": [segment(1, 65.5, "Bye.")]}
    earlier = [segment(0, 1.0, "Good morning."), segment(1, 65.5, "By")]
    with service_in_a_thread() as service:
        service.live_parts = [([begin, OVER], 1000)]
        service.answers["GET", "/api/sessions/s1/coverage"] = (200, COVERAGE)
        service.answers["GET", "/api/sessions/s1/transcript"] = (200, {"segments": earlier})
        result = run("watch", "s1", "--url", service.url)
    assert result.stdout == "[0:01] Ana: Good morning.\n[1:05] Ana: Bye.\n"


def test_lines_that_cannot_be_had_are_said_to_be_missing() -> None:
    begin = {**MEETING[0], "truncated": True, "segments": [segment(1, 65.5, "Bye.")]}
    with service_in_a_thread() as service:
        service.live_parts = [([begin, OVER], 1000)]
        service.answers["GET", "/api/sessions/s1/coverage"] = (200, COVERAGE)
        service.answers["GET", "/api/sessions/s1/transcript"] = (503, {"detail": "Away."})
        result = run("watch", "s1", "--url", service.url)
    assert result.stdout == "[1:05] Ana: Bye.\n"
    assert result.stderr.startswith(
        "Earlier lines are missing (Away.); `orchestration export s1` has them.\n"
    )


def test_a_session_that_failed_before_says_why() -> None:
    failed = {"status": "failed", "status_detail": "the disk is full"}
    with service_in_a_thread() as service:
        service.live_parts = [([{**MEETING[0], "session": failed}], 1000)]
        service.answers["GET", "/api/sessions/s1/coverage"] = (200, COVERAGE)
        result = run("watch", "s1", "--url", service.url)
    assert result.stderr.startswith("failed (the disk is full): 10.0 s of audio")
