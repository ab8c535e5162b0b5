"""How a transcript looks in a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.live import Live
from rich.text import Text

from orchestration.client.live_transcript import Changed, LiveTranscript, speaker_name
from orchestration.errors import JsonObject

COLOURS = ("cyan", "green", "yellow", "magenta", "blue", "red", "bright_cyan", "bright_green")
REDRAWN_LINES = 3
"""The newest lines, complete or not, are redrawn: a name may still be corrected."""
UNSETTLED_LINES = 12
"""Lines that lack a name or translation are redrawn too, up to this many in all; older ones go to
the scrollback as they are."""


def clock_text(seconds: float) -> str:
    """Session time as a reader says it: 1:05, or 1:02:05."""
    whole = int(seconds)
    hours, minutes = whole // 3600, whole % 3600 // 60
    head = f"{hours}:{minutes:02}" if hours else f"{minutes}"
    return f"{head}:{whole % 60:02}"


def coverage_line(streams: Sequence[Mapping[str, Any]]) -> str:
    """Every second's fate, over all streams."""
    totals = {
        fate: sum(float(one[fate]) / float(one["sample_rate"]) for one in streams)
        for fate in ("duration", "transcribed", "silent", "pending", "lost")
    }
    return (
        f"{totals['duration']:.1f} s of audio: {totals['transcribed']:.1f} s transcribed,"
        f" {totals['silent']:.1f} s silent, {totals['pending']:.1f} s pending,"
        f" {totals['lost']:.1f} s lost"
    )


def coverage_summary(coverage: JsonObject) -> str:
    """The fate of every second, as one line."""
    streams = coverage.get("streams")
    described = (
        [one for one in streams if isinstance(one, dict)] if isinstance(streams, list) else []
    )
    return coverage_line(described) if described else "No audio was stored."


def safe(text: str) -> str:
    """Text without control characters, which a terminal would obey."""
    return "".join(character for character in text if character.isprintable())


def segment_text(
    transcript: LiveTranscript, segment: Mapping[str, Any], *, pending: bool = False
) -> Text:
    """One line of the transcript: time, speaker, words."""
    colour = transcript.colour(segment)
    line = Text()
    line.append(f"{clock_text(float(segment['start'])):>7}  ", style="bright_black")
    name_style = "bright_black" if colour is None else f"bold {COLOURS[colour]}"
    line.append(f"{safe(speaker_name(segment) or 'Unknown')}  ", style=name_style)
    line.append(safe(str(segment["text"])), style="italic bright_black" if pending else "")
    return line


def translation_text(language: str, translation: Mapping[str, Any]) -> Text:
    """A translation beneath its line."""
    return Text(f"{'':7}  {safe(language)}  {safe(str(translation['text']))}", style="dim")


def shown_translations(segment: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    translations: Mapping[str, Mapping[str, Any]] = segment.get("translations") or {}
    return [(language, one) for language, one in translations.items() if one.get("text")]


class PlainPrinter:
    """For pipes and files: a line for each final segment and each translation, as they come."""

    def __init__(self, console: Console, transcript: LiveTranscript) -> None:
        self._console = console
        self._transcript = transcript

    def start(self) -> None:
        """Nothing to prepare."""

    def update(self, message: Mapping[str, Any], changed: Changed) -> None:
        """Print what the message brought."""
        if message.get("type") == "snapshot":
            for segment in self._transcript.finals.values():
                self._print_segment(segment)
                for language, one in shown_translations(segment):
                    self._print_translation(segment, language, one["text"])
        if changed.segment_id is None:
            return
        segment = self._transcript.finals[changed.segment_id]
        if changed.what == "final":
            self._print_segment(segment)
        elif changed.language and segment["translations"][changed.language]["text"]:
            text = segment["translations"][changed.language]["text"]
            self._print_translation(segment, changed.language, text)

    def _print_segment(self, segment: Mapping[str, Any]) -> None:
        name = speaker_name(segment) or "Unknown"
        self._print(f"[{clock_text(float(segment['start']))}] {name}: {segment['text']}")

    def _print_translation(self, segment: Mapping[str, Any], language: str, text: str) -> None:
        self._print(f"[{clock_text(float(segment['start']))}] ({language}) {text}")

    def _print(self, line: str) -> None:
        self._console.print(Text(safe(line)), soft_wrap=True)

    def stop(self) -> None:
        """Nothing is left behind."""


class LivePrinter:
    """For terminals: finished lines scroll up, the newest and the pending text are redrawn."""

    def __init__(self, console: Console, transcript: LiveTranscript) -> None:
        self._console = console
        self._transcript = transcript
        self._settled: set[str] = set()
        # Refreshed here only: a thread of its own would read the transcript while it changes.
        self._live = Live(self, console=console, auto_refresh=False, transient=True)

    def start(self) -> None:
        self._live.start()

    def update(self, message: Mapping[str, Any], changed: Changed) -> None:
        """Move what will not change soon above the redrawn part, and redraw that."""
        unsettled = self._unsettled()
        wanted = set(self._transcript.target_languages)
        while unsettled:
            complete = wanted <= set(unsettled[0].get("translations") or {})
            named = unsettled[0].get("speaker") is not None
            if len(unsettled) <= UNSETTLED_LINES and not (
                complete and named and len(unsettled) > 3
            ):
                break
            self._settle(unsettled.pop(0))
        self._live.refresh()

    def stop(self) -> None:
        for segment in self._unsettled():
            self._settle(segment)
        self._transcript.pending.clear()
        self._live.stop()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segment in self._unsettled():
            yield from self._lines(segment)
        for segment in self._transcript.pending_in_order():
            yield segment_text(self._transcript, segment, pending=True)
        yield self._footer()

    def _footer(self) -> Text:
        transcript = self._transcript
        footer = Text(f"\n  {transcript.status}", style="bright_black")
        if transcript.lag_s >= 1:
            footer.append(f" · {transcript.lag_s:.0f} s behind")
        if transcript.coverage:
            footer.append(f" · {coverage_line(transcript.coverage)}")
        if transcript.alerts:
            footer.append(f"\n  {safe(transcript.alerts[-1])}", style="yellow")
        return footer

    def _unsettled(self) -> list[dict[str, Any]]:
        return [
            segment
            for segment_id, segment in self._transcript.finals.items()
            if segment_id not in self._settled
        ]

    def _settle(self, segment: Mapping[str, Any]) -> None:
        self._settled.add(segment["segment_id"])
        self._console.print(Group(*self._lines(segment)))

    def _lines(self, segment: Mapping[str, Any]) -> list[Text]:
        lines = [segment_text(self._transcript, segment)]
        lines += [translation_text(*one) for one in shown_translations(segment)]
        return lines


def transcript_printer(console: Console, transcript: LiveTranscript) -> PlainPrinter | LivePrinter:
    """The printer that fits where the output goes."""
    printer = LivePrinter if console.is_terminal else PlainPrinter
    return printer(console, transcript)
