"""SQL: what is stored of a session, by the page."""

from orchestration.storage.recording_statements import SESSION_NS

CHUNKS_PAGE = f"""
SELECT c.*, place.start_ns, place.end_ns, q.score, q.rms_dbfs, q.snr_db, q.speech_ratio,
    q.clipped_ratio
FROM bot_sessions.chunks c
JOIN bot_sessions.streams st USING (session_id, stream)
LEFT JOIN bot_sessions.audio_quality q USING (session_id, stream, start_sample)
CROSS JOIN LATERAL (SELECT
    {SESSION_NS.format(sample="c.start_sample")} AS start_ns,
    {SESSION_NS.format(sample="c.end_sample")} AS end_ns) place
WHERE c.session_id = $1 AND place.end_ns > $2 AND place.start_ns < $3
    AND (c.stream, c.start_sample) > ($4, $5)
ORDER BY c.stream, c.start_sample LIMIT $6
"""

TRANSLATIONS_PAGE = """
SELECT n.source_transcript_id, n.target_language, n.source_language, n.translated_text, n.state,
    n.translation_service, t.stream, t.start_ns, t.end_ns
FROM bot_sessions.translations n
JOIN bot_sessions.transcripts t
    ON t.session_id = n.session_id AND t.transcript_id = n.source_transcript_id
WHERE n.session_id = $1 AND (t.end_ns > $2 OR t.start_ns >= $2) AND t.start_ns < $3
    AND ($4::text IS NULL OR n.target_language = $4)
    AND (t.start_ns, n.source_transcript_id, n.target_language) > ($5, $6, $7)
ORDER BY t.start_ns, n.source_transcript_id, n.target_language LIMIT $8
"""

# Whoever's joining is unknown comes last, as if it were at the end of time.
PARTICIPANTS_PAGE = """
SELECT participant_id, display_name, email, is_bot, joined_ns, left_ns,
    coalesce(joined_ns, $6) AS place_ns
FROM bot_sessions.participants
WHERE session_id = $1 AND (left_ns IS NULL OR left_ns > $2)
    AND (joined_ns IS NULL OR joined_ns < $3)
    AND (coalesce(joined_ns, $6), participant_id) > ($4, $5)
ORDER BY place_ns, participant_id LIMIT $7
"""

EVENTS_BETWEEN = """
SELECT e.seq, e.event_type, e.event_data
FROM bot_sessions.events e JOIN bot_sessions.sessions s USING (session_id)
WHERE e.session_id = $1 AND e.seq > $2
    AND e."timestamp" >= coalesce(s.start_time, s.created_at)
        + $3::bigint / 1000 * interval '1 microsecond'
    AND e."timestamp" < coalesce(s.start_time, s.created_at)
        + $4::bigint / 1000 * interval '1 microsecond'
ORDER BY e.seq LIMIT $5
"""
