"""Structured logs: one JSON object a line, with ids and figures, never with what was said."""

import logging
import sys

import structlog

_NOT_UTF8 = "Invalid UTF-8 sequence received from client."
"""What uvicorn calls it."""
_NO_HANDSHAKE = "ASGI callable returned without completing handshake."
"""What uvicorn 0.54 says after a refusal by ASGI's denial response, too, which completes it: its
pull request 3138. Anybody can be refused many times, and each refusal is logged with its status."""


def configure_logs(level: str) -> None:
    """Send this process's logs at `level` and above to standard error."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    for name in ("uvicorn.error", "asyncio"):
        logging.getLogger(name).addFilter(_without_clients_faults)


def _without_clients_faults(record: logging.LogRecord) -> bool:
    """Nothing more of a handshake that was refused; one line and no traceback for a text frame
    that is not UTF-8. Any client can send many.

    uvicorn logs the frame with one; where the client's close came along, it fails to answer, and
    the event loop logs both tracebacks again.
    """
    if record.msg == _NO_HANDSHAKE:
        return False
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, UnicodeDecodeError) and record.msg == _NOT_UTF8:
        record.exc_info = None
    # By its name, because session actors log too and have no use for the library.
    is_late_answer = type(error).__name__ == "InvalidState"
    return not (
        is_late_answer and isinstance(getattr(error, "__context__", None), UnicodeDecodeError)
    )
