-- A session's rows are found without reading those of others.
CREATE OR REPLACE VIEW bot_sessions.speaker_correlations AS
SELECT
    session_id,
    -1::bigint AS place,
    substr(correlation_id, length(session_id) + 2) AS source,
    correlation_id,
    NULL::text AS segment_id,
    google_transcript_id AS caption_id,
    speaker_id,
    speaker_name,
    correlation_confidence::double precision AS confidence,
    correlation_method AS method,
    correlation_type AS kind,
    round(start_timestamp * 1e9)::bigint AS start_ns,
    round(end_timestamp * 1e9)::bigint AS end_ns,
    round(timing_offset * 1e9)::bigint AS offset_ns,
    correlation_metadata AS told,
    NULL::jsonb AS words,
    created_at AS at
FROM bot_sessions.correlations
WHERE inhouse_transcript_id IS NULL AND speaker_id IS NOT NULL
UNION ALL
SELECT
    t.session_id,
    t.start_ns,
    t.transcript_id,
    t.session_id || ':' || t.transcript_id,
    t.transcript_id,
    c.google_transcript_id,
    t.speaker_id,
    t.speaker_name,
    t.speaker_confidence,
    t.speaker_method,
    CASE WHEN t.speaker_method IN ('manual', 'own_stream') THEN 'exact'
        WHEN t.speaker_method IN ('acoustic', 'fallback') THEN 'inferred'
        ELSE 'interpolated' END,
    t.start_ns,
    t.end_ns,
    coalesce(round(c.timing_offset * 1e9)::bigint, 0),
    coalesce(c.correlation_metadata, '{}'),
    t.words,
    t.updated_at
FROM bot_sessions.transcripts t
LEFT JOIN bot_sessions.correlations c
    ON c.session_id = t.session_id AND c.inhouse_transcript_id = t.transcript_id
    AND c.correlation_id = t.session_id || ':' || t.transcript_id
    AND c.correlation_method = t.speaker_method
WHERE t.speaker_id IS NOT NULL;
