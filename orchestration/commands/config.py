"""`orchestration config`: what a configuration says, and the settings of a running service."""

import os
from pathlib import Path

import click

from orchestration.commands.settings import RUNNING_COMMANDS, value_text

CONFIG_FILE = click.Path(path_type=Path)


@click.group("config")
def config_command() -> None:
    """Look at configurations, and change the settings of a running service."""


for _command in RUNNING_COMMANDS:
    config_command.add_command(_command)


@config_command.command("check")
@click.argument("file", type=CONFIG_FILE)
def check_command(file: Path) -> None:
    """Whether a service would start with FILE here, and what FILE changes.

    Every value that does not fit is named, with exit code 1.
    """
    # pydantic costs a tenth of a second to import, which the other commands do without.
    from orchestration.config.differences import differences
    from orchestration.config.environment import environment_layer
    from orchestration.config.layers import load_settings
    from orchestration.config.loader import file_layer, lowest_layer, validated
    from orchestration.config.merging import leaves

    settings = load_settings(os.environ, file)
    in_file, without_effect = file_layer(file)
    environment = environment_layer(os.environ)
    # Not loaded: without the file they need not be safe to start with, nor have a folder.
    folder = {"data_dir": str(settings.data_dir)}
    defaults = validated(folder, lowest_layer(os.environ), environment)
    changed = differences(defaults, settings)
    click.echo(f"{file} is valid and changes {_counted(len(changed))}.")
    for one in changed:
        click.echo(f"  {one.place}: {value_text(one.before)} → {value_text(one.after)}")
    for place, _ in leaves(in_file):
        if any(_is_in(place, other) for other, _ in leaves(environment)):
            click.echo(f"  {place}: the environment has it too, and wins")
    for place in without_effect:
        click.echo(f"  {place}: has no effect, the service decides this by itself")


@config_command.command("show")
@click.option("--config", type=CONFIG_FILE, help="YAML file over the defaults.")
def show_command(config: Path | None) -> None:
    """The settings a service would start with here, as YAML; secrets are hidden."""
    import yaml

    from orchestration.config.differences import without_secrets
    from orchestration.config.layers import load_settings

    settings = without_secrets(load_settings(os.environ, config))
    click.echo(yaml.safe_dump(settings, sort_keys=False, allow_unicode=True), nl=False)


def _is_in(place: str, other: str) -> bool:
    return place == other or place.startswith(f"{other}.")


def _counted(count: int) -> str:
    return f"{count} setting" if count == 1 else f"{count} settings"
