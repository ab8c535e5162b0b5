"""Tickets, by their hashes, in PostgreSQL: what is issued at one replica is redeemed at any."""

from datetime import datetime

from orchestration.storage.pool import Pool, database

STORE_TICKET = """
INSERT INTO bot_sessions.tickets (ticket_hash, kind, expires_at) VALUES ($1, $2, $3)
ON CONFLICT (ticket_hash) DO NOTHING
"""

# The hour is for clocks that differ: what another machine still takes for valid must stay.
DROP_EXPIRED_TICKETS = """
DELETE FROM bot_sessions.tickets WHERE expires_at < now() - interval '1 hour'
"""

LOOK_AT_TICKET = """
SELECT 1 FROM bot_sessions.tickets WHERE ticket_hash = $1 AND kind = $2 AND expires_at > $3
"""

USE_TICKET = """
DELETE FROM bot_sessions.tickets WHERE ticket_hash = $1 AND kind = $2 AND expires_at > $3
RETURNING 1
"""


class PostgresTickets:
    """The tickets of `Archive`, over a pool."""

    _pool: Pool

    async def store_ticket(self, ticket_hash: bytes, kind: str, expires_at: datetime) -> None:
        async with database(self._pool) as connection:
            await connection.execute(STORE_TICKET, ticket_hash, kind, expires_at)
            await connection.execute(DROP_EXPIRED_TICKETS)

    async def redeem_ticket(self, ticket_hash: bytes, kind: str, now: datetime, keep: bool) -> bool:
        async with database(self._pool) as connection:
            valid = await connection.fetchval(
                LOOK_AT_TICKET if keep else USE_TICKET, ticket_hash, kind, now
            )
        return valid is not None
