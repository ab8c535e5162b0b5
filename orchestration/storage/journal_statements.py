"""What the session journal says to PostgreSQL.

A statement that begins with GUARD does nothing at all unless the session is at the epoch given.
KEY SHARE is the weakest lock that a claim's FOR UPDATE waits for, and the other way round: a
claim lets writes under way finish, and one that comes after it finds the new epoch and is
refused. Unlike SHARE it lets the same session's next status update pass, and the foreign keys of
the rows written take it anyway.
"""

GUARD = """
WITH guard AS MATERIALIZED (
    SELECT session_id FROM bot_sessions.sessions
    WHERE session_id = $1 AND epoch = $2 FOR KEY SHARE
)"""

HOLD_EPOCH = """
SELECT (SELECT max(seq) FROM bot_sessions.events WHERE session_id = $1) AS last_event_seq
FROM bot_sessions.sessions WHERE session_id = $1 AND epoch = $2 FOR KEY SHARE
"""

OPEN_STREAMS = f"""{GUARD}, opened AS (
    INSERT INTO bot_sessions.streams (session_id, stream, encoding, sample_rate, channels,
        participant_id, participant_name, participant_email, participant_is_bot)
    SELECT guard.session_id, given.* FROM guard, unnest($3::integer[], $4::text[], $5::integer[],
        $6::integer[], $7::text[], $8::text[], $9::text[], $10::boolean[]) given
    ON CONFLICT DO NOTHING
)
SELECT count(*) FROM guard
"""

# One statement, so one round trip and one commit: this is what stands between a frame and its ack.
APPEND = f"""{GUARD}, journaled AS (
    INSERT INTO bot_sessions.audio_journal
        (session_id, stream, seq, first_sample, sample_count, content_hash, payload,
            received_ns)
    SELECT guard.session_id, given.* FROM guard, unnest($3::integer[], $4::bigint[], $5::bigint[],
        $6::integer[], $7::bytea[], $8::bytea[], $9::bigint[]) given
    ON CONFLICT DO NOTHING
), noted AS (
    INSERT INTO bot_sessions.facts (session_id, fact, body)
    SELECT guard.session_id, given.* FROM guard, unnest($10::bigint[], $11::jsonb[]) given
    ON CONFLICT DO NOTHING
)
SELECT count(*) FROM guard
"""

# Streams before the session, as a commit locks them: the other way round the two would wait for
# each other.
END_STREAMS = f"""{GUARD}, ended AS (
    UPDATE bot_sessions.streams s SET last_seq = given.last_seq
    FROM guard, unnest($3::integer[], $4::bigint[]) AS given (stream, last_seq)
    WHERE s.session_id = guard.session_id AND s.stream = given.stream
    RETURNING s.stream
), announced AS (
    UPDATE bot_sessions.sessions s SET last_fact = $5
    FROM guard, (SELECT count(*) FROM ended) streams_first
    WHERE s.session_id = guard.session_id
)
SELECT count(*) FROM guard
"""

UPDATE_SESSION = """
UPDATE bot_sessions.sessions SET
    status = coalesce($2, status),
    status_detail = CASE WHEN $2::text IS NULL THEN status_detail ELSE $3 END,
    zero_unix_ms = coalesce($4, zero_unix_ms),
    facts_told = coalesce($5, facts_told),
    end_time = CASE WHEN $2 IN ('completed', 'failed') THEN coalesce(end_time, now())
        ELSE end_time END,
    updated_at = now()
WHERE session_id = $1
"""

INSERT_EVENTS = """
INSERT INTO bot_sessions.events (session_id, seq, event_type, event_data)
SELECT $1, * FROM unnest($2::bigint[], $3::text[], $4::jsonb[]) ON CONFLICT DO NOTHING
"""

UPSERT_SEGMENTS = """
INSERT INTO bot_sessions.transcripts AS old (session_id, transcript_id, stream, revision,
    transcript_text, language_code, start_ns, end_ns, words, speaker_id, speaker_name,
    speaker_confidence, speaker_method, confidence_score)
SELECT $1, * FROM unnest($2::text[], $3::integer[], $4::integer[], $5::text[], $6::text[],
    $7::bigint[], $8::bigint[], $9::text[]::jsonb[], $10::text[], $11::text[], $12::float8[],
    $13::text[], $14::float8[])
ON CONFLICT (session_id, transcript_id) DO UPDATE SET
    stream = EXCLUDED.stream, revision = EXCLUDED.revision,
    transcript_text = EXCLUDED.transcript_text, language_code = EXCLUDED.language_code,
    start_ns = EXCLUDED.start_ns, end_ns = EXCLUDED.end_ns, words = EXCLUDED.words,
    speaker_id = EXCLUDED.speaker_id, speaker_name = EXCLUDED.speaker_name,
    speaker_confidence = EXCLUDED.speaker_confidence,
    speaker_method = EXCLUDED.speaker_method, confidence_score = EXCLUDED.confidence_score,
    updated_at = now()
WHERE old.revision < EXCLUDED.revision
"""

UPSERT_TRANSLATIONS = """
INSERT INTO bot_sessions.translations (session_id, source_transcript_id, target_language,
    source_language, translated_text, state, translation_service)
SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
ON CONFLICT (session_id, source_transcript_id, target_language) DO UPDATE SET
    source_language = EXCLUDED.source_language, translated_text = EXCLUDED.translated_text,
    state = EXCLUDED.state, translation_service = EXCLUDED.translation_service,
    updated_at = now()
"""

# A row tells what is new: no join takes back an earlier one, and whoever joins again is back.
UPSERT_PARTICIPANTS = """
INSERT INTO bot_sessions.participants AS old (session_id, participant_id, display_name, email,
    is_bot, joined_ns, left_ns)
SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::boolean[], $6::bigint[],
    $7::bigint[])
ON CONFLICT (session_id, participant_id) DO UPDATE SET
    display_name = EXCLUDED.display_name, email = EXCLUDED.email, is_bot = EXCLUDED.is_bot,
    joined_ns = coalesce(EXCLUDED.joined_ns, old.joined_ns),
    left_ns = CASE WHEN EXCLUDED.joined_ns IS NULL THEN coalesce(EXCLUDED.left_ns, old.left_ns)
        ELSE EXCLUDED.left_ns END,
    updated_at = now()
"""

COUNT_PARTICIPANTS = """
UPDATE bot_sessions.sessions SET participant_count =
    (SELECT count(*) FROM bot_sessions.participants WHERE session_id = $1)
WHERE session_id = $1
"""

# Session time to the wall clock, whichever of the two came first.
DATE_PARTICIPANTS = """
UPDATE bot_sessions.participants p SET join_time = dated.joined, leave_time = dated.left_at
FROM (
    SELECT q.participant_id,
        to_timestamp((s.zero_unix_ms + q.joined_ns / 1000000) / 1000.0::float8) AS joined,
        to_timestamp((s.zero_unix_ms + q.left_ns / 1000000) / 1000.0::float8) AS left_at
    FROM bot_sessions.sessions s JOIN bot_sessions.participants q USING (session_id)
    WHERE s.session_id = $1
) dated
WHERE p.session_id = $1 AND p.participant_id = dated.participant_id
    AND (p.join_time, p.leave_time) IS DISTINCT FROM (dated.joined, dated.left_at)
"""

UPSERT_SPEAKER_INTERVALS = """
INSERT INTO bot_sessions.speaker_intervals
    (session_id, participant_id, start_ns, end_ns, speaker_name)
SELECT $1, * FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::text[])
ON CONFLICT (session_id, participant_id, start_ns) DO UPDATE SET
    end_ns = EXCLUDED.end_ns, speaker_name = EXCLUDED.speaker_name
"""

UPDATE_STREAMS = """
UPDATE bot_sessions.streams s SET
    offset_ns = given.offset_ns, duration = given.duration, frontier = given.frontier,
    transcribed_samples = given.transcribed, silent_samples = given.silent,
    transcribed_to_frontier = given.transcribed_to_frontier
FROM unnest($2::integer[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
    $8::bigint[])
    AS given (stream, offset_ns, duration, frontier, transcribed, silent, transcribed_to_frontier)
WHERE s.session_id = $1 AND s.stream = given.stream
"""

# Of each stretch that changed, what is lost in it now.
REPLACE_GAPS = """
WITH changed AS (
    SELECT * FROM unnest($2::integer[], $3::bigint[], $4::bigint[])
        AS changed (stream, start_sample, end_sample)
), given AS (
    SELECT * FROM unnest($5::integer[], $6::bigint[], $7::bigint[], $8::text[])
        AS given (stream, start_sample, end_sample, reason)
), gone AS (
    DELETE FROM bot_sessions.gaps old USING changed
    WHERE old.session_id = $1 AND old.stream = changed.stream
        AND old.start_sample >= changed.start_sample AND old.start_sample < changed.end_sample
        AND NOT EXISTS (
            SELECT FROM given
            WHERE given.stream = old.stream AND given.start_sample = old.start_sample)
)
INSERT INTO bot_sessions.gaps AS old (session_id, stream, start_sample, end_sample, reason)
SELECT $1, * FROM given
ON CONFLICT (session_id, stream, start_sample) DO UPDATE SET
    end_sample = EXCLUDED.end_sample, reason = EXCLUDED.reason
WHERE (old.end_sample, old.reason) IS DISTINCT FROM (EXCLUDED.end_sample, EXCLUDED.reason)
"""

LOCK_FOR_CLAIM = "SELECT 1 FROM bot_sessions.sessions WHERE session_id = $1 FOR UPDATE"

RAISE_EPOCH = """
UPDATE bot_sessions.sessions SET epoch = epoch + 1, actor_name = $2, updated_at = now()
WHERE session_id = $1 RETURNING idempotency_hash,
"""

LAST_LANGUAGES = """
SELECT event_data FROM bot_sessions.events
WHERE session_id = $1 AND event_type = 'session' ORDER BY seq DESC LIMIT 1
"""

FACTS_OF_SESSION = """
SELECT facts_told, last_fact FROM bot_sessions.sessions WHERE session_id = $1
"""

SEGMENT_COUNTS = """
SELECT stream, count(*) AS segments FROM bot_sessions.transcripts
WHERE session_id = $1 GROUP BY stream
"""

RECENT_SEGMENTS = """
SELECT t.*
FROM bot_sessions.streams s
CROSS JOIN LATERAL (
    SELECT last.* FROM bot_sessions.transcripts last
    WHERE last.session_id = s.session_id AND last.stream = s.stream
    ORDER BY last.start_ns DESC LIMIT 3
) t
WHERE s.session_id = $1
ORDER BY t.stream, t.start_ns
"""

UNTRANSLATED = """
SELECT t.*, target.language AS target_language
FROM bot_sessions.sessions s
CROSS JOIN LATERAL jsonb_array_elements_text(s.target_languages) AS target (language)
JOIN bot_sessions.transcripts t ON t.session_id = s.session_id
WHERE s.session_id = $1 AND t.language_code <> target.language
    AND t.start_ns >= $2 AND (t.start_ns, t.stream, t.transcript_id, target.language)
        > ($2::bigint, $3::integer, $4::text, $5::text)
    AND NOT EXISTS (
    SELECT FROM bot_sessions.translations done
    WHERE done.session_id = t.session_id AND done.source_transcript_id = t.transcript_id
        AND done.target_language = target.language)
ORDER BY t.start_ns, t.stream, t.transcript_id, target.language LIMIT $6
"""

CLAIMED_BY = """
SELECT session_id FROM bot_sessions.sessions
WHERE actor_name = $1 AND status = ANY ($2::text[]) ORDER BY created_at DESC LIMIT 1
"""

RECENT_HASHES = """
SELECT s.stream, recent.seq, recent.content_hash
FROM bot_sessions.streams s
CROSS JOIN LATERAL (
    SELECT j.seq, j.content_hash FROM bot_sessions.audio_journal j
    WHERE j.session_id = s.session_id AND j.stream = s.stream ORDER BY j.seq DESC LIMIT $2
) recent
WHERE s.session_id = $1
"""
