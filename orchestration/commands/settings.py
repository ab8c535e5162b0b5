"""`orchestration config set` and its kin: the settings of a running service."""

import json
from pathlib import Path
from typing import Any

import click

from orchestration.client.api import OrchestrationClient
from orchestration.commands.connection import url_option, with_client
from orchestration.commands.rendering import safe
from orchestration.errors import BadRequest, UnreadableFile
from orchestration.json_types import JsonObject

VERSIONS_SHOWN = 20


@click.command("set")
@click.argument("assignments", metavar="SETTING=VALUE...", nargs=-1, required=True)
@click.option("--comment", default="", help="Why, for the history.")
@url_option
@click.pass_obj
def set_command(api_key: str | None, assignments: tuple[str, ...], comment: str, url: str) -> None:
    """Change settings of the running service, all or none.

    SETTING is a dotted place, as sessions.chunking.chunk_ms; VALUE is read as YAML, and null goes
    back to what file and environment say.
    """
    from orchestration.config.yaml_text import plain_values

    patch: JsonObject = {}
    for assignment in assignments:
        place, sign, text = assignment.partition("=")
        if not place or not sign:
            raise BadRequest(f"{assignment} is not of the form SETTING=VALUE.")
        try:
            value = plain_values(text)
        except ValueError as error:
            raise BadRequest(f"The value of {place} cannot be read: {error}.") from None
        _put(patch, place.split("."), value)

    async def work(client: OrchestrationClient) -> JsonObject:
        return await client.change_settings(patch, comment=comment)

    _tell(with_client(url, api_key, work))


@click.command("reset")
@click.argument("places", metavar="[SETTING]...", nargs=-1)
@url_option
@click.pass_obj
def reset_command(api_key: str | None, places: tuple[str, ...], url: str) -> None:
    """Go back to what file and environment say, for these settings or all."""

    async def work(client: OrchestrationClient) -> JsonObject:
        return await client.reset_settings(places or None)

    _tell(with_client(url, api_key, work))


@click.command("rollback")
@click.argument("version", type=click.IntRange(min=0))
@url_option
@click.pass_obj
def rollback_command(api_key: str | None, version: int, url: str) -> None:
    """Have hold again what an earlier VERSION stored; 0 is before the first change."""

    async def work(client: OrchestrationClient) -> JsonObject:
        return await client.roll_settings_back(version)

    _tell(with_client(url, api_key, work))


@click.command("export")
@click.option("--all", "whole", is_flag=True, help="Everything that holds, secrets hidden.")
@url_option
@click.pass_obj
def export_command(api_key: str | None, whole: bool, url: str) -> None:
    """What was changed while the service runs, as YAML."""

    async def work(client: OrchestrationClient) -> str:
        return await client.export_settings(whole=whole)

    click.echo(with_client(url, api_key, work), nl=False)


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@url_option
@click.pass_obj
def import_command(api_key: str | None, file: Path, url: str) -> None:
    """Have the settings of FILE, and no others, lie over file and environment."""
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UnreadableFile(f"{file} is not text in UTF-8.") from None
    except OSError as trouble:
        raise UnreadableFile(f"Cannot read {file}: {trouble.strerror or trouble}.") from trouble

    async def work(client: OrchestrationClient) -> JsonObject:
        return await client.import_settings(text)

    _tell(with_client(url, api_key, work))


@click.command("history")
@url_option
@click.pass_obj
def history_command(api_key: str | None, url: str) -> None:
    """Who changed what, newest first."""

    async def work(client: OrchestrationClient) -> JsonObject:
        return await client.settings_history(limit=VERSIONS_SHOWN)

    for version in _versions(with_client(url, api_key, work)):
        _tell(version)


RUNNING_COMMANDS = (
    set_command,
    reset_command,
    rollback_command,
    history_command,
    export_command,
    import_command,
)


def _put(patch: JsonObject, names: list[str], value: Any) -> None:
    name, *further = names
    if not further:
        if name in patch:
            raise BadRequest(f"{name} is given more than once.")
        patch[name] = value
        return
    section = patch.setdefault(name, {})
    if not isinstance(section, dict):
        raise BadRequest(f"{name} is given as a value and as a section.")
    _put(section, further, value)


def value_text(value: Any) -> str:
    """A setting's value as it is written."""
    return json.dumps(value, ensure_ascii=False)


def _versions(page: JsonObject) -> list[Any]:
    items = page.get("items")
    return items if isinstance(items, list) else []


def _tell(version: Any) -> None:
    comment = f": {version['comment']}" if version["comment"] else ""
    head = f"version {version['version']}, {version['changed_at']}, by {version['changed_by']}"
    click.echo(safe(head + comment))
    for change in version["changes"]:
        before, after = value_text(change["before"]), value_text(change["after"])
        click.echo(safe(f"  {change['setting']}: {before} → {after}"))
