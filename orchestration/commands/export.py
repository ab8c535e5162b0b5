"""`orchestration export`: a session's transcript as a file, or all of it as an archive."""

import zipfile
from pathlib import Path
from typing import BinaryIO

import click

from orchestration.client.api import OrchestrationClient
from orchestration.client.session_calls import TranscriptFormat
from orchestration.commands.connection import url_option, with_client
from orchestration.commands.output_files import whole_file
from orchestration.errors import UnwritableFile
from orchestration.json_types import JsonObject, JsonValue


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
@click.option("--archive", is_flag=True, help="All that is stored, as a ZIP archive; needs -o.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File; else standard output.")
@url_option
@click.pass_obj
def export_command(
    api_key: str | None,
    session: str,
    form: TranscriptFormat,
    language: str | None,
    archive: bool,
    output: Path | None,
    url: str,
) -> None:
    """Write SESSION's transcript as text, subtitles or JSON, or all of it as an archive."""
    if archive:
        if output is None:
            raise click.UsageError("--archive needs a file: add -o FILE.zip.")
        _write_archive(url, api_key, session, output)
        return

    async def work(client: OrchestrationClient) -> str:
        text = await client.transcript_text(session, form, language=language)
        if language and language not in _languages(await client.session(session)):
            click.echo(f"Session {session} is not translated to {language}: as spoken.", err=True)
        return text

    text = with_client(url, api_key, work)
    if output is None:
        click.echo(text, nl=not text.endswith("\n"))
        return
    with whole_file(output) as file:
        file.write(text.encode())


def _languages(session: JsonObject) -> list[JsonValue]:
    targets = session.get("target_languages")
    return [session.get("language"), *(targets if isinstance(targets, list) else [])]


def _write_archive(url: str, api_key: str | None, session: str, output: Path) -> None:
    async def work(client: OrchestrationClient) -> None:
        with whole_file(output) as file:
            async for piece in client.export_session(session):
                file.write(piece)
            if file.readable():
                _check_archive(file, output)

    with_client(url, api_key, work)


def _check_archive(file: BinaryIO, output: Path) -> None:
    try:
        with zipfile.ZipFile(file) as whole:
            whole.getinfo("manifest.json")
    except (KeyError, zipfile.BadZipFile) as trouble:
        raise UnwritableFile(f"Cannot write {output}: {trouble}.") from trouble
