"""Which failures mean that PostgreSQL is away, and how to say so."""

import os
import re
import socket
import ssl

import asyncpg

from orchestration.errors import DatabaseUnavailable

# Asked again later, the same may work: connections refused, cut or timed out; a server that
# starts, stops, recovers, or is out of connections, memory or disk; a lost race for a lock.
# InterfaceError is asyncpg's word for a closed connection or pool.
UNAVAILABILITY: tuple[type[BaseException], ...] = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.PostgresSystemError,
    asyncpg.TransactionRollbackError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
)

# While connecting, also a DSN that is none.
CONNECT_FAILURES: tuple[type[BaseException], ...] = (*UNAVAILABILITY, ValueError)


_ADDRESSES = re.compile(r'host "[^"]*"')


def unavailable(error: BaseException) -> DatabaseUnavailable:
    """The error as the service's own; its message has no password, host or SQL in it, since it is
    told to whoever asks, also before their key is looked at."""
    return DatabaseUnavailable(
        f"PostgreSQL cannot be used right now ({type(error).__name__}: {_reason(error)}): check "
        "that it runs and that DATABASE_URL names it."
    )


def _reason(error: BaseException) -> str:
    if isinstance(error, ssl.SSLError):
        # Its text names the host of a certificate that does not fit.
        return error.reason or "the encrypted connection failed"
    if isinstance(error, socket.gaierror):
        return error.strerror or "its host has no address"
    if isinstance(error, TimeoutError) and error.errno is None:
        return "it did not answer in time"
    if isinstance(error, OSError):
        # asyncio writes the addresses that it tried into the text.
        return os.strerror(error.errno) if error.errno else "no connection"
    if isinstance(error, ValueError):
        return "its URL cannot be used"
    text = _ADDRESSES.sub("this host", str(error))
    return text.splitlines()[0] if text else "it did not answer in time"
