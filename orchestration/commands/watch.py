"""`orchestration watch`: a session's transcript as it grows."""

from contextlib import aclosing

import click
from rich.console import Console

from orchestration.client.api import OrchestrationClient
from orchestration.client.live import watch
from orchestration.client.live_transcript import LiveTranscript
from orchestration.commands.connection import url_option, with_client
from orchestration.commands.rendering import coverage_summary, transcript_printer


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
                printer.update(message, transcript.apply(message))
    finally:
        printer.stop()
    return transcript


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
        click.echo(f"{transcript.status}: {fate}", err=True)

    with_client(url, api_key, work)
