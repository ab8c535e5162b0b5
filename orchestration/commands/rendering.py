"""How a transcript looks in a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.live import Live
from rich.table import Table
from rich.text import Text

from orchestration.client.live_transcript import Changed, LiveTranscript, speaker_name
from orchestration.json_types import JsonObject

COLOURS = (
    "#7cc4ff",
    "#7ee0a8",
    "#f2c572",
    "#e79bf0",
    "#ff9d8a",
    "#74dbd9",
    "#bbaaff",
    "#cfe07a",
)
"""The live page's speaker colours."""
FEW_COLOURS = ("cyan", "green", "yellow", "magenta", "bright_blue", "red", "white", "bright_green")
"""For terminals of 16 colours, where those above would fall together."""
JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"
"""Part of how Persian and Indic words, and many emoji, are written."""
FATES = ("transcribed", "silent", "pending", "lost")
FAINT = "bright_black"
TIME_WIDTH = 7
LEAST_LOST_S = 1.0
"""Less lost audio is not told: hardly a word is missing there, and a bot may make thousands."""

LEAST_SKIPPED_S = 10.0
"""The same for what a bot did not send, which may be the silence that it leaves out."""
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
    fates = ", ".join(f"{_seconds(streams, fate):.1f} s {fate}" for fate in FATES)
    return f"{_seconds(streams, 'duration'):.1f} s of audio: {fates}"


def progress_line(streams: Sequence[Mapping[str, Any]]) -> str:
    """The same for a narrow terminal, without what there is none of."""
    sums = ((fate, _seconds(streams, fate)) for fate in FATES)
    return ", ".join(f"{seconds:.1f} s {fate}" for fate, seconds in sums if seconds >= 0.05)


def _seconds(streams: Sequence[Mapping[str, Any]], fate: str) -> float:
    """How much of all streams has a fate, or their whole `duration`."""
    return sum(float(one[fate]) / float(one["sample_rate"]) for one in streams)


def coverage_summary(coverage: JsonObject) -> str:
    """The fate of every second, as one line."""
    streams = coverage.get("streams")
    described = (
        [one for one in streams if isinstance(one, dict)] if isinstance(streams, list) else []
    )
    return coverage_line(described) if described else "No audio was stored."


def safe(text: str) -> str:
    """Text without control characters, which a terminal would obey; any space is a plain one."""
    return "".join(
        " " if character.isspace() else character
        for character in text
        if character.isprintable() or character.isspace() or character in JOINERS
    )


def segment_rows(segment: Mapping[str, Any], colour: str | None, *, pending: bool = False) -> Table:
    """A line of the transcript: time, speaker and words, its translations beneath."""
    words = Text()
    name_style = FAINT if colour is None else f"bold {colour}"
    words.append(f"{safe(speaker_name(segment) or 'Unknown')}  ", style=name_style)
    words.append(safe(str(segment["text"])), style=f"italic {FAINT}" if pending else "")
    rows = Table.grid(padding=(0, 2, 0, 0))
    rows.add_column(width=TIME_WIDTH, justify="right", style=FAINT)
    rows.add_column()
    rows.add_row(clock_text(float(segment["start"])), words)
    for language, translation in shown_translations(segment):
        rows.add_row(safe(language), Text(safe(str(translation["text"])), style="dim"))
    return rows


def shown_translations(segment: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    translations: Mapping[str, Mapping[str, Any]] = segment.get("translations") or {}
    return [(language, one) for language, one in translations.items() if one.get("text")]


def lost_text(message: Mapping[str, Any]) -> str | None:
    """What a `gap` event says is missing; None for other events, and where it is but a moment."""
    if message.get("type") != "gap":
        return None
    seconds = float(message["end"]) - float(message["start"])
    if seconds < (LEAST_SKIPPED_S if message.get("reason") == "capture_skipped" else LEAST_LOST_S):
        return None
    return f"[{clock_text(float(message['start']))}] ({seconds:.1f} s of audio lost)"


class PlainPrinter:
    """For pipes and files: a line for each final segment and each translation, as they come, and
    one for each line of before that has another name now."""

    def __init__(self, console: Console, transcript: LiveTranscript) -> None:
        self._console = console
        self._transcript = transcript
        self._printed: dict[str, tuple[str, str]] = {}
        """Name and words of the lines that are printed."""
        self._translated: dict[tuple[str, str], str] = {}

    def start(self) -> None:
        """Nothing to prepare."""

    def update(self, message: Mapping[str, Any], changed: Changed) -> None:
        """Print what the message brought."""
        if lost := lost_text(message):
            self._print(lost)
        match message.get("type"):
            case "snapshot":
                changed_ids = list(self._transcript.finals)
            case "speaker":
                changed_ids = [one["segment_id"] for one in message["segments"]]
            case _:
                changed_ids = [changed.segment_id] if changed.segment_id else []
        for segment_id in changed_ids:
            segment = self._transcript.finals.get(segment_id)
            if segment is not None:
                self._print_news(segment_id, segment)

    def _print_news(self, segment_id: str, segment: Mapping[str, Any]) -> None:
        """What of a line is not printed yet."""
        moment = f"[{clock_text(float(segment['start']))}]"
        name, words = speaker_name(segment) or "Unknown", str(segment["text"])
        before = self._printed.get(segment_id)
        if before != (name, words):
            self._printed[segment_id] = name, words
            is_renamed = before is not None and before[1] == words
            self._print(f"{moment} {'now ' if is_renamed else ''}{name}: {words}")
        for language, one in shown_translations(segment):
            text = str(one["text"])
            if self._translated.get((segment_id, language)) != text:
                self._translated[segment_id, language] = text
                self._print(f"{moment} ({language}) {text}")

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
        if lost := lost_text(message):
            self._console.print(Text(lost, style=FAINT))
        unsettled = self._unsettled()
        wanted = set(self._transcript.target_languages)
        # What is redrawn must fit the screen with its translations, or its end would be cut off.
        most = max(REDRAWN_LINES, min(UNSETTLED_LINES, self._console.height // 4))
        settled = 0
        while len(unsettled) - settled > REDRAWN_LINES:
            oldest = unsettled[settled]
            translated = wanted <= set(oldest.get("translations") or {})
            complete = translated and oldest.get("speaker") is not None
            if len(unsettled) - settled <= most and not complete:
                break
            settled += 1
        self._settle(unsettled[:settled])
        self._live.refresh()

    def stop(self) -> None:
        self._transcript.pending.clear()
        self._settle(self._unsettled())
        self._live.stop()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segment in self._unsettled():
            yield self._rows(segment)
        for segment in self._transcript.pending_in_order():
            yield self._rows(segment, pending=True)
        yield self._footer()

    def _footer(self) -> Text:
        transcript = self._transcript
        footer = Text(f"\n  {transcript.status}", style=FAINT)
        if transcript.lag_s >= 1:
            footer.append(f" · {transcript.lag_s:.0f} s behind")
        if progress := progress_line(transcript.coverage):
            footer.append(f" · {progress}")
        if transcript.alerts:
            footer.append(f"\n  {safe(transcript.alerts[-1])}", style="yellow")
        return footer

    def _unsettled(self) -> list[dict[str, Any]]:
        return [
            segment
            for segment_id, segment in self._transcript.finals.items()
            if segment_id not in self._settled
        ]

    def _settle(self, segments: Sequence[Mapping[str, Any]]) -> None:
        if segments:
            self._settled.update(segment["segment_id"] for segment in segments)
            self._console.print(Group(*(self._rows(segment) for segment in segments)))

    def _rows(self, segment: Mapping[str, Any], *, pending: bool = False) -> Table:
        index = self._transcript.colour(segment)
        palette = COLOURS if self._console.color_system in ("256", "truecolor") else FEW_COLOURS
        return segment_rows(segment, None if index is None else palette[index], pending=pending)


def transcript_printer(console: Console, transcript: LiveTranscript) -> PlainPrinter | LivePrinter:
    """The printer that fits where the output goes."""
    printer = LivePrinter if console.is_terminal else PlainPrinter
    return printer(console, transcript)
