"""Stopping on Ctrl-C and SIGTERM, once, in order."""

import asyncio
import signal
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar

import click

SIGNALS = (signal.SIGINT, signal.SIGTERM)
Result = TypeVar("Result")


class StopRequested(KeyboardInterrupt):
    """A signal came while something ran that can be broken off. Being no Exception, nothing on
    the way takes it for a failure."""


class StopSignal:
    """SIGINT and SIGTERM as one request to stop, whichever comes first and however often.

    Signals break off the main thread with StopRequested until `stopping` is entered; from then on
    they only get a word, because half a clean stop is worse than a slow one.
    """

    def __init__(self) -> None:
        self._requested = threading.Event()
        self._stopping = False

    def install(self) -> None:
        """Take both signals; again after a library (Ray, for one) has set its own handlers."""
        for number in SIGNALS:
            signal.signal(number, self._handle)

    def wait(self) -> None:
        """Until a signal comes."""
        try:
            while not self._requested.wait(3600):
                pass
        except StopRequested:
            return

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run a coroutine, which a signal cancels; raises StopRequested when one came."""

        async def cancellable() -> Result:
            task = asyncio.current_task()
            if task is not None:
                for number in SIGNALS:
                    asyncio.get_running_loop().add_signal_handler(number, task.cancel)
            return await work

        try:
            return asyncio.run(cancellable())
        except asyncio.CancelledError:
            self._requested.set()
            raise StopRequested from None
        finally:
            self.install()

    @contextmanager
    def stopping(self) -> Iterator[None]:
        """What runs in here is not broken off."""
        self._stopping = True
        yield

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._stopping or self._requested.is_set():
            click.echo("already stopping", err=True)
            return
        self._requested.set()
        raise StopRequested
