"""Connections to PostgreSQL, and its failures in the service's own words."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TypeAlias

import asyncpg

from orchestration.errors import BadRequest, OrchestrationError, UnknownSession
from orchestration.metrics import catalogue
from orchestration.metrics.meter import Meter
from orchestration.storage.availability import CONNECT_FAILURES, UNAVAILABILITY, unavailable
from orchestration.storage.stored_text import decode_json, encode_json

COMMAND_TIMEOUT_S = 10
"""One statement may take this long; then its connection is given up."""
OPERATION_TIMEOUT_S = 20
"""All statements of one operation."""
ACQUIRE_TIMEOUT_S = 10
"""The wait for a free connection, or a new one."""
RELEASE_TIMEOUT_S = 2
"""The wait for a statement that was given up to end, before its connection is closed."""
IDLE_CONNECTION_LIFETIME_S = 300
"""An unused connection beyond the pool's least is closed after this."""
APPLICATION_NAME = "orchestration"

# An ack means that the commit is flushed, whatever the server's own default is.
SESSION_SETTINGS = {"application_name": APPLICATION_NAME, "synchronous_commit": "on"}

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Connection: TypeAlias = (
    "asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
)


async def connect(dsn: str, *, connect_timeout_s: float) -> "asyncpg.Connection[asyncpg.Record]":
    """One connection outside any pool; statements on it have no timeout.

    Raises:
        DatabaseUnavailable: PostgreSQL cannot be reached, or does not let us in.
    """
    try:
        async with asyncio.timeout(connect_timeout_s):
            return await asyncpg.connect(dsn, server_settings=SESSION_SETTINGS)
    except CONNECT_FAILURES as error:
        raise unavailable(error) from error


async def connect_pool(dsn: str, *, min_size: int, max_size: int, connect_timeout_s: float) -> Pool:
    """A pool of at most `max_size` connections that speak jsonb as Python values.

    Raises:
        DatabaseUnavailable: PostgreSQL cannot be reached, or does not let us in.
    """
    try:
        pool = await asyncpg.create_pool(
            dsn,
            min_size=min_size,
            max_size=max_size,
            timeout=connect_timeout_s,
            command_timeout=COMMAND_TIMEOUT_S,
            max_inactive_connection_lifetime=IDLE_CONNECTION_LIFETIME_S,
            server_settings=SESSION_SETTINGS,
            init=_prepare,
            reset=_keep_as_it_is,
        )
    except CONNECT_FAILURES as error:
        raise unavailable(error) from error
    try:
        # With min_size 0 nothing has been tried yet, and a start must fail at the start.
        async with database(pool) as connection:
            await connection.execute("SELECT 1")
    except BaseException:
        pool.terminate()
        raise
    return pool


def sample_connections(meter: Meter, process: str, pool: Pool) -> None:
    """How many connections the pool holds and may hold; `process` says whose it is."""
    idle = pool.get_idle_size()
    meter.set(catalogue.DATABASE_CONNECTIONS, pool.get_size() - idle, process, "busy")
    meter.set(catalogue.DATABASE_CONNECTIONS, idle, process, "idle")
    meter.set(catalogue.DATABASE_CONNECTIONS_MAX, pool.get_max_size(), process)


async def _prepare(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=encode_json, decoder=decode_json
    )


async def _keep_as_it_is(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """We leave nothing to reset (an open transaction is rolled back in any case), and asyncpg's
    own way costs each append a second round trip."""


EXISTS = "SELECT 1 FROM bot_sessions.sessions WHERE session_id = $1"


@dataclass(slots=True)
class _Waiters:
    """Who waits for a connection in this process, now."""

    count: int = 0


_waiters = _Waiters()


def connection_waiters() -> int:
    """How many operations of this process wait for a connection of a pool."""
    return _waiters.count


@asynccontextmanager
async def database(pool: Pool) -> AsyncIterator[Connection]:
    """A connection for one operation; what fails inside is raised as an error of the service.

    Raises:
        DatabaseUnavailable: PostgreSQL does not answer within the timeouts above.
        BadRequest: a value is beyond what its column can hold.
        OrchestrationError: a row contradicts others; that is a fault of the caller's.
    """
    try:
        _waiters.count += 1
        try:
            connection = await pool.acquire(timeout=ACQUIRE_TIMEOUT_S)
        finally:
            _waiters.count -= 1
        try:
            async with asyncio.timeout(OPERATION_TIMEOUT_S):
                yield connection
        finally:
            # Outside the timeout: a release that is cancelled fails where nobody hears it. One
            # that fails has closed the connection, and must not hide what came of the operation:
            # a task that is cancelled ends by that, and what is stored is no failure.
            with suppress(*UNAVAILABILITY):
                await pool.release(connection, timeout=RELEASE_TIMEOUT_S)
    except (asyncpg.DataError, UnicodeEncodeError) as error:
        raise BadRequest("The database cannot hold one of these values.") from error
    except asyncpg.IntegrityConstraintViolationError as error:
        name = error.constraint_name
        raise OrchestrationError(
            f"The database refused a row that contradicts others ({name}).", {"constraint": name}
        ) from error
    except UNAVAILABILITY as error:
        raise unavailable(error) from error


class LongReads:
    """Reads that may take seconds. However many are asked for, they leave one of the pool's
    connections to everybody else: a bot that comes waits for no search."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._places = asyncio.Semaphore(max(1, pool.get_max_size() - 1))

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """As `database`."""
        _waiters.count += 1
        try:
            async with asyncio.timeout(ACQUIRE_TIMEOUT_S):
                await self._places.acquire()
        except TimeoutError as error:
            raise unavailable(error) from error
        finally:
            _waiters.count -= 1
        try:
            async with database(self._pool) as connection:
                yield connection
        finally:
            self._places.release()

    @asynccontextmanager
    async def view(self) -> AsyncIterator[Connection]:
        """A connection whose reads all see the same moment."""
        async with (
            self.connection() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            yield connection

    @asynccontextmanager
    async def session_view(self, session_id: str) -> AsyncIterator[Connection]:
        """The same, of a session that exists."""
        async with self.view() as connection:
            if await connection.fetchval(EXISTS, session_id) is None:
                raise unknown_session(session_id)
            yield connection


def unknown_session(session_id: str) -> UnknownSession:
    return UnknownSession(f"There is no session {session_id!r}.", {"session_id": session_id})
