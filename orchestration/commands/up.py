"""`orchestration up`: the service, in the foreground."""

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import click

from orchestration.commands.stopping import StopRequested, StopSignal


class Urls(Protocol):
    """Where a started service is; None for what it does not have."""

    @property
    def api(self) -> str: ...
    @property
    def live_page(self) -> str: ...
    @property
    def dashboard(self) -> str | None: ...


@contextmanager
def running_service(
    signals: StopSignal, config: Path | None, overrides: dict[str, str]
) -> Iterator[Urls]:
    """Start the service, and stop it whatever happens inside.

    A signal ends the block quietly. Raises ConfigurationError, PortInUse, ClusterError and their
    kin when it cannot start.
    """
    from actors.cluster_ports import refuse_taken_port
    from orchestration.config.layers import Layers

    layers = Layers.read({**os.environ, **overrides}, config)
    settings = layers.settings()
    if settings.server.port and not os.environ.get("RAY_ADDRESS"):
        refuse_taken_port(settings.server.host, settings.server.port, settings.data_dir)
    click.echo(f"Data in {settings.data_dir}\nLoading Ray …", err=True)
    # Ray costs a second and much memory to import, which the other commands do without.
    from serve_app import Service

    service = Service(settings, layers)
    signals.install()
    try:
        urls = service.start(lambda step: click.echo(f"{step} …", err=True))
        signals.install()
        yield urls
    except StopRequested:
        pass
    finally:
        with signals.stopping():
            click.echo("Stopping …", err=True)
            service.stop()
            click.echo("Stopped.", err=True)
            # Else Python ends by looking for garbage in all of Ray, for half a second.
            gc.freeze()


@click.command("up")
@click.option("--config", type=click.Path(path_type=Path), help="YAML file over the defaults.")
@click.option("--host", help="Address to listen on (HOST); beyond loopback a key is required.")
@click.option("--port", help="Port to listen on (PORT).")
def up_command(config: Path | None, host: str | None, port: str | None) -> None:
    """Start the service here and serve until Ctrl-C or SIGTERM."""
    overrides = {key: value for key, value in (("HOST", host), ("PORT", port)) if value}
    signals = StopSignal()
    with running_service(signals, config, overrides) as urls:
        click.echo(f"API        {urls.api}")
        click.echo(f"Live page  {urls.live_page}")
        if urls.dashboard:
            click.echo(f"Dashboard  {urls.dashboard}")
        click.echo("Ready. Ctrl-C stops it.", err=True)
        signals.wait()
