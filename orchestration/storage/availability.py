"""Which failures mean that PostgreSQL is away, and how to say so."""

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


def unavailable(error: BaseException) -> DatabaseUnavailable:
    """The error as the service's own; its message has no password, host or SQL in it."""
    reason = str(error).splitlines()[0] if str(error) else "it did not answer in time"
    return DatabaseUnavailable(
        f"PostgreSQL cannot be used right now ({type(error).__name__}: {reason}): check that it "
        "runs and that DATABASE_URL names it."
    )
