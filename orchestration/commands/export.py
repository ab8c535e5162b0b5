"""`orchestration export`: a session's transcript as a file."""

from pathlib import Path

import click

from orchestration.client.api import OrchestrationClient, TranscriptFormat
from orchestration.commands.connection import url_option, with_client
from orchestration.errors import UnreadableFile


@click.command("export")
@click.argument("session")
@click.option(
    "--format",
    "form",
    type=click.Choice(["txt", "srt", "vtt", "json"]),
    default="txt",
    show_default=True,
)
@click.option("--language", help="A translation's language, as in pt; else what was spoken.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File; else standard output.")
@url_option
@click.pass_obj
def export_command(
    api_key: str | None,
    session: str,
    form: TranscriptFormat,
    language: str | None,
    output: Path | None,
    url: str,
) -> None:
    """Write SESSION's transcript as text, subtitles or JSON."""

    async def work(client: OrchestrationClient) -> str:
        return await client.transcript_text(session, form, language=language)

    text = with_client(url, api_key, work)
    if output is None:
        click.echo(text, nl=not text.endswith("\n"))
        return
    try:
        output.write_text(text, "utf-8")
    except OSError as trouble:
        raise UnreadableFile(f"Cannot write {output}: {trouble.strerror or trouble}.") from trouble
