"""What the archive says to PostgreSQL about sessions, their lines and their events."""

from orchestration.storage.rows import SEGMENT_COLUMNS, SESSION_COLUMNS

CREATE = """
INSERT INTO bot_sessions.sessions (session_id, meeting_id, meeting_title, language,
    target_languages, settings, idempotency_hash)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (session_id) DO NOTHING RETURNING
"""

# The lock of an update that leaves the key: a session's frames are journaled meanwhile.
LOCK_TO_CONFIGURE = """
SELECT 1 FROM bot_sessions.sessions WHERE session_id = $1 FOR NO KEY UPDATE
"""

CONFIGURE = """
UPDATE bot_sessions.sessions SET settings = $2, language = $3, target_languages = $4,
    updated_at = now()
WHERE session_id = $1
"""

NEW_CONNECTION = """
SELECT nextval('bot_sessions.connection_numbers') FROM bot_sessions.sessions WHERE session_id = $1
"""

SESSIONS_PAGE = f"""
SELECT {SESSION_COLUMNS} FROM bot_sessions.sessions
WHERE ($1::text[] IS NULL OR status = ANY ($1))
    AND ($2::timestamptz IS NULL OR (created_at, session_id) < ($2, $3))
ORDER BY created_at DESC, session_id DESC LIMIT $4
"""

LAST_SEGMENTS = f"""
SELECT {SEGMENT_COLUMNS} FROM bot_sessions.transcripts WHERE session_id = $1
ORDER BY start_ns DESC, stream DESC, transcript_id DESC LIMIT $2
"""

TRANSLATIONS_FROM = """
SELECT n.source_transcript_id, n.target_language, n.translated_text, n.state
FROM bot_sessions.translations n
JOIN bot_sessions.transcripts t
    ON t.session_id = n.session_id AND t.transcript_id = n.source_transcript_id
WHERE n.session_id = $1 AND t.start_ns >= $2 ORDER BY n.target_language
"""

EVENTS_AFTER = """
SELECT seq, event_type, event_data FROM bot_sessions.events
WHERE session_id = $1 AND seq > $2 ORDER BY seq LIMIT $3
"""
