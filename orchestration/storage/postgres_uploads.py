"""Uploaded files in PostgreSQL."""

import asyncpg

from orchestration.errors import RepeatUnderWay
from orchestration.storage.pool import Connection, Pool, database, unknown_session
from orchestration.storage.rows import Row
from orchestration.storage.upload_ports import RequestKey, UploadRow

KEYS_DIFFER = "uploads_idempotency_key_key"
"""The constraint that one key is one file's."""

NOTE_UPLOAD = """
INSERT INTO bot_sessions.uploads (session_id, stream, owns_session, idempotency_key,
    request_sha256)
SELECT session_id, $2, $3, $4, $5 FROM bot_sessions.sessions WHERE session_id = $1
RETURNING 1
"""

UPLOAD = """
SELECT * FROM bot_sessions.uploads WHERE session_id = $1 AND stream = $2
"""

UPLOAD_BY_KEY = """
SELECT * FROM bot_sessions.uploads WHERE idempotency_key = $1
"""

FREE_UPLOAD_KEY = """
UPDATE bot_sessions.uploads SET idempotency_key = NULL, request_sha256 = NULL
WHERE session_id = $1 AND stream = $2
"""

IS_OF_AN_UPLOAD = """
SELECT EXISTS (SELECT 1 FROM bot_sessions.uploads WHERE session_id = $1 AND owns_session)
"""


class PostgresUploads:
    """`UploadArchive`, over a pool."""

    _pool: Pool

    async def note_upload(self, upload: UploadRow) -> None:
        async with database(self._pool) as connection:
            await store_upload(connection, upload)

    async def upload(self, session_id: str, stream: int) -> UploadRow | None:
        async with database(self._pool) as connection:
            return _upload_from(await connection.fetchrow(UPLOAD, session_id, stream))

    async def upload_by_key(self, key: str) -> UploadRow | None:
        async with database(self._pool) as connection:
            return _upload_from(await connection.fetchrow(UPLOAD_BY_KEY, key))

    async def free_upload_key(self, upload: UploadRow) -> None:
        async with database(self._pool) as connection:
            await connection.execute(FREE_UPLOAD_KEY, upload.session_id, upload.stream)


async def store_upload(connection: Connection, upload: UploadRow) -> None:
    """Within the caller's transaction; raises as `UploadArchive.note_upload` does."""
    key = upload.key
    try:
        stored = await connection.fetchval(
            NOTE_UPLOAD,
            upload.session_id,
            upload.stream,
            upload.owns_session,
            key.key if key else None,
            key.request_sha256 if key else None,
        )
    except asyncpg.UniqueViolationError as error:
        if key is None or error.constraint_name != KEYS_DIFFER:
            raise
        raise RepeatUnderWay(
            "The same request is under way already; ask again.", {"idempotency_key": key.key}
        ) from error
    if stored is None:
        raise unknown_session(upload.session_id)


def _upload_from(row: Row | None) -> UploadRow | None:
    if row is None:
        return None
    key = row["idempotency_key"]
    return UploadRow(
        session_id=row["session_id"],
        stream=row["stream"],
        owns_session=row["owns_session"],
        key=None if key is None else RequestKey(key, row["request_sha256"]),
    )
