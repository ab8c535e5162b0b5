"""`orchestration watch`: a session's transcript as it grows."""

from contextlib import aclosing
from typing import Any

import click
from rich.console import Console

from orchestration.client.api import OrchestrationClient
from orchestration.client.live import watch
from orchestration.client.live_transcript import LiveTranscript
from orchestration.commands.connection import url_option, with_client
from orchestration.commands.rendering import coverage_summary, safe, transcript_printer
from orchestration.errors import OrchestrationError


async def show_transcript(
    client: OrchestrationClient, session_id: str, console: Console
) -> LiveTranscript:
    """Show a session's transcript until it is over; returns it."""
    transcript = LiveTranscript()
    printer = transcript_printer(console, transcript)
    printer.start()
    try:
        async with aclosing(watch(client, session_id)) as messages:
            async for message in messages:
                if message.get("truncated"):
                    message = await _with_earlier_lines(client, session_id, message)
                printer.update(message, transcript.apply(message))
    finally:
        printer.stop()
    return transcript


async def _with_earlier_lines(
    client: OrchestrationClient, session_id: str, snapshot: dict[str, Any]
) -> dict[str, Any]:
    """A snapshot with the lines that it left out, as far as they can be had."""
    try:
        stored: Any = (await client.transcript(session_id))["segments"]
    except OrchestrationError as error:
        hint = f"`orchestration export {session_id}` has them"
        click.echo(f"Earlier lines are missing ({error.message}); {hint}.", err=True)
        return snapshot
    known = {one["segment_id"] for one in snapshot["segments"]}
    earlier = [one for one in stored if one["segment_id"] not in known]
    segments = sorted([*earlier, *snapshot["segments"]], key=lambda one: float(one["start"]))
    return {**snapshot, "segments": segments}


@click.command("watch")
@click.argument("session")
@url_option
@click.pass_obj
def watch_command(api_key: str | None, session: str, url: str) -> None:
    """Show SESSION's transcript live, until it is over."""
    console = Console(highlight=False)

    async def work(client: OrchestrationClient) -> None:
        transcript = await show_transcript(client, session, console)
        fate = coverage_summary(await client.coverage(session))
        why = f" ({safe(transcript.detail)})" if transcript.detail else ""
        click.echo(f"{transcript.status}{why}: {fate}", err=True)

    with_client(url, api_key, work)
