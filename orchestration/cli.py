"""The `orchestration` program."""

import errno
import io
import os
import sys
from typing import Any

import click

from orchestration.commands.bot import bot_command
from orchestration.commands.config import config_command
from orchestration.commands.demo import demo_command
from orchestration.commands.export import export_command
from orchestration.commands.status import status_command
from orchestration.commands.up import up_command
from orchestration.commands.watch import watch_command
from orchestration.errors import NotAuthenticated, OrchestrationError

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""Why an output takes no more. One that nobody reads any more (EPIPE) is left to click."""


class OneSentenceErrors(click.Group):
    """Errors that the service or client can name are one sentence on stderr and exit code 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except OrchestrationError as error:
            raise click.ClickException(_said(error)) from error
        except BaseExceptionGroup as several:
            named = several.subgroup(OrchestrationError)
            if named is None:
                raise
            raise click.ClickException(_said(_first(named))) from several
        except UnicodeEncodeError as error:
            raise click.ClickException(
                f"{ascii(error.object)[:200]} is not text in UTF-8."
            ) from error
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            # What is left of it would be tried again as Python ends.
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - until the end
            raise click.ClickException(
                f"The output cannot be written: {error.strerror}."
            ) from error


def _said(error: OrchestrationError) -> str:
    """The error's sentence, and what a user of these commands can tell from it."""
    sentences = [error.message]
    if isinstance(error, NotAuthenticated) and not os.environ.get("ORCHESTRATION_API_KEY"):
        sentences.append("The commands take it from the variable ORCHESTRATION_API_KEY.")
    faults = error.facts.get("errors")
    for fault in faults if isinstance(faults, list) else []:
        if isinstance(fault, dict):
            sentences.append(f"{fault.get('field')}: {fault.get('message')}")
    return "\n".join(sentences)


def _first(errors: BaseExceptionGroup[OrchestrationError]) -> OrchestrationError:
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


@click.group(cls=OneSentenceErrors, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="orchestration")
@click.pass_context
def main(ctx: click.Context) -> None:
    """Orchestration for meeting bots: audio in, one named and translated transcript out."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal of few characters shows others by their numbers, rather than nothing at all.
        sys.stdout.reconfigure(errors="backslashreplace")
    key = os.environ.get("ORCHESTRATION_API_KEY") or None
    if key and not (key.isascii() and key.isprintable()):
        raise click.ClickException(
            "ORCHESTRATION_API_KEY has characters that no request can carry, as a line end."
        )
    ctx.obj = key


for _command in (
    up_command,
    status_command,
    bot_command,
    watch_command,
    export_command,
    config_command,
    demo_command,
):
    main.add_command(_command)
