"""A log file that cannot fill the disk, and its last lines."""

import logging
import logging.handlers
import threading
from collections import deque
from pathlib import Path
from types import TracebackType

MAX_LOG_BYTES = 1_048_576
"""A longer log is renamed to `.1`, replacing the one before."""
LAST_LINES = 20
"""Kept in memory for messages of errors; older ones are in the file alone."""


class BoundedLog:
    """Lines of one program's output; written by one thread at a time, within a `with` block."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines: deque[str] = deque(maxlen=LAST_LINES)
        self._closed = threading.Event()
        self._handler: logging.Handler | None = None

    def __enter__(self) -> "BoundedLog":
        self._lines.clear()
        self._closed.clear()
        self._handler = logging.handlers.RotatingFileHandler(
            self.path, maxBytes=MAX_LOG_BYTES, backupCount=1, encoding="utf-8", delay=True
        )
        return self

    def write(self, line: str) -> None:
        self._lines.append(line)
        if self._handler is not None:
            self._handler.emit(logging.makeLogRecord({"msg": line}))

    def last_lines(self) -> list[str]:
        """The newest lines since the log was opened, oldest first."""
        return list(self._lines)

    def wait_closed(self, timeout_s: float) -> None:
        """Wait until all of a program that has ended is written."""
        self._closed.wait(timeout_s)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._handler is not None:
            self._handler.close()
        self._closed.set()
