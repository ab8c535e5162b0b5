"""What commands share that talk to a running service."""

import asyncio
import ipaddress
import os
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import click
from yarl import URL

from orchestration.client.api import OrchestrationClient
from orchestration.client.transport import shown_url

DEFAULT_PORT = 3000
Result = TypeVar("Result")
Command = TypeVar("Command", bound=Callable[..., Any])


def _http_url(_: click.Context, __: click.Parameter, url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise click.BadParameter(f"{url} does not begin with http:// or https://.")
    try:
        is_read = bool((URL(url).raw_host or "").encode("idna"))
    except ValueError:
        is_read = False
    if not is_read:
        raise click.BadParameter(f"{url} has a host or port that none can have.")
    # What follows it is for a browser: a session, in the addresses that commands print.
    return url.partition("#")[0]


def default_url() -> str:
    """Where `orchestration up` listens with this environment."""
    port = os.environ.get("PORT", "").strip()
    known = port.isascii() and port.isdecimal() and 0 < int(port) < 65_536
    return f"http://{_own_host()}:{port if known else DEFAULT_PORT}"


def _own_host() -> str:
    """As a URL has it. Names are left out: some shells set HOST to the machine's own."""
    try:
        address = ipaddress.ip_address(os.environ.get("HOST", "").strip().strip("[]"))
    except ValueError:
        return "127.0.0.1"
    if address.is_unspecified:
        return "127.0.0.1"
    return f"[{address}]" if address.version == 6 else str(address)


def url_option(command: Command) -> Command:
    """Adds `--url`; the key comes from the environment alone, because arguments are public."""
    return click.option(
        "--url",
        envvar="ORCHESTRATION_URL",
        default=default_url,
        show_default=f"http://127.0.0.1:{DEFAULT_PORT}, or HOST and PORT",
        callback=_http_url,
        help="Where the service is (ORCHESTRATION_URL). The key, if any: ORCHESTRATION_API_KEY.",
    )(command)


def with_client(
    url: str,
    api_key: str | None,
    work: Callable[[OrchestrationClient], Coroutine[Any, Any, Result]],
    run_coroutine: Callable[[Coroutine[Any, Any, Result]], Result] = asyncio.run,
) -> Result:
    """Run `work` with a client of the service at `url`."""

    async def run() -> Result:
        async with OrchestrationClient(url, api_key) as client:
            return await work(client)

    return run_coroutine(run())


def live_page_url(base_url: str, session_id: str) -> str:
    """Where a browser sees the session."""
    return f"{shown_url(base_url)}/#{session_id}"
