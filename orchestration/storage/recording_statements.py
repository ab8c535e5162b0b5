"""What is said to PostgreSQL about recordings: files listed, journal shrunk, both forgotten."""

from orchestration.storage.journal_statements import GUARD

FILE_COLUMNS = """session_id, stream, first_seq, last_seq, first_sample, end_sample, sample_rate,
    channels, file_size, file_hash"""

# The times of a chunk are seconds on its stream's own clock.
ADD_FILE = f"""{GUARD}, added AS (
    INSERT INTO bot_sessions.audio_files ({FILE_COLUMNS}, file_id, file_path, file_name,
        file_format, duration_seconds, chunk_start_time, chunk_end_time, processing_status)
    SELECT guard.session_id, file.*, $11, $12, $12, $13, 'flac',
        (file.end_sample - file.first_sample) / file.sample_rate::float8,
        file.first_sample / file.sample_rate::float8, file.end_sample / file.sample_rate::float8,
        'completed'
    FROM guard, (SELECT $3::integer AS stream, $4::bigint AS first_seq, $5::bigint AS last_seq,
        $6::bigint AS first_sample, $7::bigint AS end_sample, $8::integer AS sample_rate,
        $9::integer AS channels, $10::bigint AS file_size) AS file
    ON CONFLICT (file_id) DO NOTHING
)
SELECT count(*) FROM guard
"""

LAST_FILES = f"""
SELECT DISTINCT ON (stream) {FILE_COLUMNS} FROM bot_sessions.audio_files
WHERE session_id = $1 ORDER BY stream, first_seq DESC
"""

FILES_OF_STREAM = f"""
SELECT {FILE_COLUMNS} FROM bot_sessions.audio_files
WHERE session_id = $1 AND stream = $2 ORDER BY first_seq
"""

# What may go is read from what is stored, in the statement that removes it. A frontier or a file
# that is not there makes a comparison null, and nothing goes.
SHRINK = f"""{GUARD}, stored AS (
    SELECT
        t.frontier - $4 AS free_to,
        newest.seq - $5 AS last_seq,
        oldest.seq + $6 - 1 AS batch_end,
        filed.last_seq AS filed_seq
    FROM guard
    JOIN bot_sessions.streams t USING (session_id)
    CROSS JOIN LATERAL (SELECT max(seq) AS seq FROM bot_sessions.audio_journal
        WHERE session_id = $1 AND stream = $3) newest
    CROSS JOIN LATERAL (SELECT min(seq) AS seq FROM bot_sessions.audio_journal
        WHERE session_id = $1 AND stream = $3) oldest
    CROSS JOIN LATERAL (SELECT max(last_seq) AS last_seq FROM bot_sessions.audio_files
        WHERE session_id = $1 AND stream = $3) filed
    WHERE t.stream = $3
), gone AS (
    DELETE FROM bot_sessions.audio_journal j USING stored
    WHERE j.session_id = $1 AND j.stream = $3
        AND j.seq <= stored.last_seq AND j.seq <= stored.batch_end
        AND j.first_sample + j.sample_count <= stored.free_to
        AND (j.seq <= stored.filed_seq OR NOT $7)
    RETURNING 1
)
SELECT (SELECT count(*) FROM guard) AS held, (SELECT count(*) FROM gone) AS gone
"""

# Sessions are looked through by the page, so that no statement takes longer the more of them there
# are. OFFSET 0 keeps what is inside apart: else PostgreSQL may read whole tables for a page.
EXPIRED_RECORDINGS = """
SELECT s.session_id, s.end_time, has_audio FROM (
    SELECT session_id, end_time FROM bot_sessions.sessions
    WHERE end_time < $1 AND ($2::timestamptz IS NULL OR (end_time, session_id) > ($2, $3::text))
    ORDER BY end_time, session_id LIMIT $4
) s
CROSS JOIN LATERAL (
    SELECT EXISTS (SELECT FROM bot_sessions.audio_files f WHERE f.session_id = s.session_id)
        OR EXISTS (SELECT FROM bot_sessions.audio_journal j WHERE j.session_id = s.session_id)
        AS has_audio OFFSET 0
) held
ORDER BY s.end_time, s.session_id
"""

# A session that was not recorded has lost its streams' beginnings, and is not one of them. A
# stream's files follow each other: the last one tells how far it is filed.
UNFILED_SESSIONS = """
SELECT s.session_id, s.end_time < $1 AND EXISTS (
    SELECT FROM bot_sessions.streams st
    LEFT JOIN LATERAL (
        SELECT f.last_seq FROM bot_sessions.audio_files f
        WHERE f.session_id = st.session_id AND f.stream = st.stream AND f.first_seq IS NOT NULL
        ORDER BY f.first_seq DESC LIMIT 1
    ) filed ON true
    CROSS JOIN LATERAL (
        SELECT FROM bot_sessions.audio_journal j
        WHERE j.session_id = st.session_id AND j.stream = st.stream
            AND j.seq = coalesce(filed.last_seq, -1) + 1 OFFSET 0
    ) left_over
    WHERE st.session_id = s.session_id
) AS is_unfiled
FROM (
    SELECT session_id, end_time FROM bot_sessions.sessions WHERE session_id > $2
    ORDER BY session_id LIMIT $3
) s
ORDER BY s.session_id
"""

EMPTY_JOURNAL = """
DELETE FROM bot_sessions.audio_journal WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM bot_sessions.audio_journal
    WHERE session_id = $1 AND ($2::integer[] IS NULL OR stream = ANY ($2)) LIMIT $3))
"""

# A stream that is not placed yet begins with its session.
SESSION_NS = """(coalesce(st.offset_ns, 0)
    + div({sample}::numeric * 1000000000, st.sample_rate))::bigint"""

FILES_PAGE = f"""
SELECT {", ".join("f." + name.strip() for name in FILE_COLUMNS.split(","))}
FROM bot_sessions.audio_files f
JOIN bot_sessions.streams st USING (session_id, stream)
WHERE f.session_id = $1
    AND {SESSION_NS.format(sample="f.end_sample")} > $2
    AND {SESSION_NS.format(sample="f.first_sample")} < $3
    AND (f.stream, f.first_seq) > ($4, $5)
ORDER BY f.stream, f.first_seq LIMIT $6
"""
