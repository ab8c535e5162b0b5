"""`orchestration status`: how the service is, and its sessions."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestration.client.api import OrchestrationClient
from orchestration.client.transport import shown_url
from orchestration.commands.connection import url_option, with_client
from orchestration.commands.rendering import safe

STYLES = {"healthy": "green", "degraded": "yellow", "recovering": "yellow", "unhealthy": "red"}
SESSIONS_SHOWN = 20


@click.command("status")
@url_option
@click.pass_obj
def status_command(api_key: str | None, url: str) -> None:
    """Show the service's health, its parts and its newest sessions."""

    async def work(client: OrchestrationClient) -> tuple[Any, Any, Any]:
        health = await client.health()
        services = await client.services()
        return health, services, await client.sessions(limit=SESSIONS_SHOWN)

    health, services, sessions = with_client(url, api_key, work)
    console = Console(highlight=False)
    console.print(Text("Service at ").append(shown_url(url)).append(" is ").append(_status(health)))
    console.print(_services_table(list((services.get("services") or {}).values())))
    console.print(_sessions_table(sessions.get("items") or []))


def _status(described: Mapping[str, Any]) -> Text:
    status = str(described.get("status", "unknown"))
    return Text(status, style=STYLES.get(status, "bright_black"))


def _services_table(services: list[Mapping[str, Any]]) -> Table:
    table = Table("service", "status", "latency", "where", "detail", box=None, pad_edge=False)
    for one in services:
        latency = one.get("average_response_time")
        table.add_row(
            _text(one.get("name")),
            _status(one),
            "" if latency is None else f"{latency} ms",
            _text(one.get("url")),
            _text(one.get("detail")),
        )
    return table


def _sessions_table(sessions: list[Mapping[str, Any]]) -> Table | Text:
    if not sessions:
        return Text("No sessions yet: `orchestration demo` makes one.", style="bright_black")
    table = Table(box=None, pad_edge=False)
    for column in ("session", "status", "created"):
        table.add_column(column, no_wrap=True)
    table.add_column("title")
    for one in sessions:
        created = _by_the_users_clock(str(one.get("created_at") or ""))
        values = (one.get("session_id"), one.get("status"), created, one.get("title"))
        table.add_row(*(_text(value) for value in values))
    return table


def _by_the_users_clock(moment: str) -> str:
    """A moment of RFC 3339, to the minute and in this machine's time zone."""
    try:
        return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return moment


def _text(value: object) -> Text:
    """As it is: a table takes what has brackets in a string for markup."""
    return Text(safe(str(value or "")))
