"""`orchestration bot`: audio files as a meeting bot's streams."""

import asyncio
import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from orchestration.client.api import OrchestrationClient
from orchestration.client.ingest import BotConnection
from orchestration.client.ingest_events import (
    AudioSkipped,
    Complaint,
    ConnectionLost,
    IngestEvent,
    Welcomed,
)
from orchestration.client.player import AudioTrack, load_speaker_events, play
from orchestration.commands.connection import live_page_url, url_option, with_client
from orchestration.commands.rendering import coverage_summary
from orchestration.errors import BadRequest
from orchestration.json_types import JsonObject
from orchestration.session.inputs import ParticipantRef

PROGRESS_INTERVAL_S = 0.2
MAX_SPEED = 1000.0
"""Times real time; beyond it, only as fast as the service takes it."""
MAX_TITLE_CHARACTERS = 200


def open_tracks(
    files: Sequence[Path], names: Sequence[str], speakers: Path | None
) -> list[AudioTrack]:
    """One stream per file; a name each makes them their participants' own streams.

    Raises:
        UnreadableFile: a file is not what it should be.
        BadRequest: the options do not fit together.
    """
    if names and len(names) != len(files):
        raise BadRequest(f"Give --name once for each file: {len(files)} times, not {len(names)}.")
    if not all(name.strip() for name in names):
        raise BadRequest("A --name is empty.")
    if speakers and len(files) > 1:
        raise BadRequest("--speakers goes with one mixed file; use --name for several stems.")
    events = load_speaker_events(speakers) if speakers else ()
    with ExitStack() as opened:
        tracks = []
        for stream, path in enumerate(files):
            participant = (
                ParticipantRef(f"p-{names[stream].casefold()}", names[stream]) if names else None
            )
            tracks.append(AudioTrack(stream, path, participant, events))
            opened.callback(tracks[-1].close)
        opened.pop_all()
    return tracks


class Reporter:
    """What a person should know of a bot's connection; an outage is said once, and its end."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._is_away = False

    def __call__(self, event: IngestEvent) -> None:
        match event:
            case ConnectionLost() if not self._is_away:
                self._is_away = True
                self._say("The connection was lost; what is not stored yet will be sent again.")
            case Welcomed() if self._is_away:
                self._is_away = False
                self._say("The service is back.")
            case AudioSkipped(stream=stream, samples=samples):
                self._say(f"{samples} samples of stream {stream} had no room and are lost.")
            case Complaint(message=message):
                self._say(f"The service says: {message}")


async def send(
    client: OrchestrationClient,
    session_id: str,
    tracks: Sequence[AudioTrack],
    speed: float,
    console: Console,
) -> JsonObject:
    """Play the tracks with a progress bar; returns the coverage of the ended session."""
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f} of {task.total:.0f} s"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )

    report = Reporter(
        lambda sentence: progress.console.print(sentence, style="yellow", markup=False)
    )
    with progress:
        async with BotConnection(
            client, session_id, [track.spec for track in tracks], on_event=report
        ) as bot:
            shown = asyncio.create_task(_show_progress(progress, bot, tracks))
            try:
                await play(bot, tracks, speed=speed)
                return await bot.end()
            finally:
                shown.cancel()
                await asyncio.gather(shown, return_exceptions=True)


async def _show_progress(
    progress: Progress, bot: BotConnection, tracks: Sequence[AudioTrack]
) -> None:
    total_s = max(track.sample_count / track.sample_rate for track in tracks)
    sent = progress.add_task("sent", total=total_s)
    stored = progress.add_task("stored", total=total_s)
    rates = {track.spec.stream: track.sample_rate for track in tracks}
    while True:
        outboxes = bot.protocol.streams
        sent_s = max(outboxes[one].sent_sample / rate for one, rate in rates.items())
        stored_s = max(outboxes[one].acked_sample / rate for one, rate in rates.items())
        progress.update(sent, completed=sent_s)
        progress.update(stored, completed=stored_s)
        await asyncio.sleep(PROGRESS_INTERVAL_S)


def _a_number(_: click.Context, __: click.Parameter, value: float) -> float:
    # No range leaves this one out, and nothing would be waited for: audio would be lost.
    if math.isnan(value):
        raise click.BadParameter("nan is no number.")
    return value


@click.command("bot")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--session", "session_id", help="The session's id; else the service makes one.")
@click.option("--title", help="The meeting's title; of a session without an id, else the file's.")
@click.option("--language", help="What is spoken, as in en; else it is detected.")
@click.option("--translate", "targets", multiple=True, help="Translate to this, as in pt.")
@click.option("--name", "names", multiple=True, help="Whose file it is; once for each FILE.")
@click.option(
    "--speakers",
    type=click.Path(path_type=Path),
    help="JSON list of who starts and stops speaking at which sample of a mixed file, as"
    " tests/data/meeting_speakers.json.",
)
@click.option(
    "--speed",
    type=click.FloatRange(min=0, max=MAX_SPEED),
    default=1.0,
    show_default=True,
    callback=_a_number,
    help="0: as fast as the service takes it.",
)
@url_option
@click.pass_obj
def bot_command(
    api_key: str | None,
    files: tuple[Path, ...],
    session_id: str | None,
    title: str | None,
    language: str | None,
    targets: tuple[str, ...],
    names: tuple[str, ...],
    speakers: Path | None,
    speed: float,
    url: str,
) -> None:
    """Play FILES (WAV, FLAC, ...) as a meeting bot: each file is a stream."""
    tracks = open_tracks(files, names, speakers)
    console = Console(stderr=True, highlight=False)
    if title is None and session_id is None:
        title = ", ".join(click.format_filename(path.name) for path in files)
        title = title[:MAX_TITLE_CHARACTERS]

    async def work(client: OrchestrationClient) -> str:
        created = await client.create_session(
            session_id, title=title, language=language, target_languages=targets
        )
        session = str(created["session_id"])
        click.echo(f"Session {session}, live at {live_page_url(url, session)}")
        return coverage_summary(await send(client, session, tracks, speed, console))

    try:
        click.echo(with_client(url, api_key, work))
    finally:
        for track in tracks:
            track.close()
