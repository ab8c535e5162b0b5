"""`orchestration demo`: a recorded meeting becomes a transcript, live."""

import asyncio
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import click
from click.core import ParameterSource
from rich.console import Console

from orchestration.client.api import OrchestrationClient
from orchestration.client.ingest import BotConnection
from orchestration.client.live_transcript import LiveTranscript
from orchestration.client.player import AudioTrack, play
from orchestration.commands.bot import open_tracks
from orchestration.commands.connection import live_page_url, url_option, with_client
from orchestration.commands.rendering import coverage_summary
from orchestration.commands.stopping import StopRequested, StopSignal
from orchestration.commands.up import running_service
from orchestration.commands.watch import show_transcript
from orchestration.errors import ServiceUnreachable, UnreadableFile
from orchestration.json_types import JsonObject

DATA = Path(__file__).resolve().parents[2] / "tests" / "data"
TITLE = "Website release planning"
LANGUAGE, TARGET_LANGUAGE = "en", "pt"


def demo_tracks() -> list[AudioTrack]:
    """The demo meeting, which lies beside the code in a clone.

    Raises:
        UnreadableFile: this is an installation without it.
    """
    meeting, speakers = DATA / "meeting.flac", DATA / "meeting_speakers.json"
    if not meeting.exists() or not speakers.exists():
        raise UnreadableFile(
            f"The demo needs {meeting.name} of a clone's tests/data folder, and this installation"
            " has none: run it from a clone, or play a file of yours with `orchestration bot`."
        )
    return open_tracks([meeting], [], speakers)


async def play_meeting(
    client: OrchestrationClient, session_id: str, tracks: Sequence[AudioTrack]
) -> JsonObject:
    """Play the meeting to its end; returns its coverage."""
    async with BotConnection(client, session_id, [track.spec for track in tracks]) as bot:
        await play(bot, tracks)
        return await bot.end()


async def hold_meeting(client: OrchestrationClient, tracks: Sequence[AudioTrack]) -> str:
    """Create a session, play the meeting, show the transcript meanwhile, and sum up.

    Returns the session's id.
    """
    created = await client.create_session(
        title=TITLE, language=LANGUAGE, target_languages=[TARGET_LANGUAGE]
    )
    session_id = str(created["session_id"])
    page = live_page_url(client.base_url, session_id)
    click.echo(f"\nA four-person meeting, translated to Portuguese. In a browser: {page}\n")
    console = Console(highlight=False)
    async with asyncio.TaskGroup() as together:
        shown = together.create_task(show_transcript(client, session_id, console))
        played = together.create_task(play_meeting(client, session_id, tracks))
    click.echo(summary(shown.result(), played.result()))
    return session_id


def summary(transcript: LiveTranscript, coverage: JsonObject) -> str:
    """What came of the meeting."""
    names = ", ".join(transcript.speaker_names) or "nobody named"
    return (
        f"\nThe meeting is {transcript.status}: {len(transcript.finals)} lines; {names}.\n"
        f"{coverage_summary(coverage)}"
    )


def where_to_look(base_url: str, session_id: str) -> str:
    """What a service that stays up offers next."""
    return (
        f"\nLive page  {live_page_url(base_url, session_id)}\n"
        f"API        {base_url}/docs\n"
        f"Subtitles  {sys.argv[0]} export {session_id} --format srt --language {TARGET_LANGUAGE}"
    )


def _answers(url: str, api_key: str | None) -> bool:
    try:
        with_client(url, api_key, lambda client: client.health())
    except ServiceUnreachable:
        return False
    return True


@click.command("demo")
@click.option("--exit", "exit_after", is_flag=True, help="Stop when the meeting is over.")
@url_option
@click.pass_context
def demo_command(context: click.Context, exit_after: bool, url: str) -> None:
    """Hold a recorded four-person meeting and show its transcript grow.

    By the service that answers at the default address, or else by one that is started for it.
    """
    api_key: str | None = context.obj
    tracks = demo_tracks()
    signals = StopSignal()
    try:
        with ExitStack() as running:
            # A service that was named is meant: it is not replaced by one of this machine.
            named = context.get_parameter_source("url") is not ParameterSource.DEFAULT
            started = not named and not _answers(url, api_key)
            if started:
                url = running.enter_context(running_service(signals, None, {})).api
            signals.install()
            session_id = with_client(
                url, api_key, lambda client: hold_meeting(client, tracks), signals.run
            )
            if not (started and exit_after):
                click.echo(where_to_look(url, session_id))
            if started and not exit_after:
                click.echo("\nThe service stays up for you to look around; Ctrl-C stops it.")
                signals.wait()
    except StopRequested:
        click.echo("Stopped.", err=True)
    finally:
        for track in tracks:
            track.close()
