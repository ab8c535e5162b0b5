"""Corrections and correlations of speakers, in SQL."""

FINAL_SEGMENTS = """
SELECT * FROM bot_sessions.transcripts WHERE session_id = $1 ORDER BY start_ns, transcript_id
"""

REPAINTABLE = """
SELECT * FROM (
    SELECT * FROM bot_sessions.transcripts WHERE session_id = $1
    ORDER BY start_ns DESC, transcript_id DESC LIMIT $2
) newest ORDER BY start_ns, transcript_id
"""

CORRECTIONS = """
SELECT body FROM bot_sessions.speaker_corrections WHERE session_id = $1 ORDER BY correction
"""

INSERT_CORRECTIONS = """
INSERT INTO bot_sessions.speaker_corrections (session_id, correction, body)
SELECT $1, * FROM unnest($2::bigint[], $3::jsonb[]) ON CONFLICT DO NOTHING
"""

UPSERT_CORRELATIONS = """
INSERT INTO bot_sessions.correlations (session_id, correlation_id, correlation_confidence,
    timing_offset, correlation_type, correlation_method, speaker_id, speaker_name,
    correlation_metadata)
SELECT $1, $1 || ':' || source, confidence, timing_offset, kind, method, speaker_id, name, evidence
FROM unnest($2::text[], $3::real[], $4::float8[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::jsonb[]) AS given (source, confidence, timing_offset, kind, method, speaker_id, name,
    evidence)
ON CONFLICT (correlation_id) DO UPDATE SET
    correlation_confidence = EXCLUDED.correlation_confidence,
    timing_offset = EXCLUDED.timing_offset, correlation_type = EXCLUDED.correlation_type,
    correlation_method = EXCLUDED.correlation_method, speaker_id = EXCLUDED.speaker_id,
    speaker_name = EXCLUDED.speaker_name, correlation_metadata = EXCLUDED.correlation_metadata
"""
