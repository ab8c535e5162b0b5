"""SQL: chunks, and how good their audio was."""

STORE_QUALITY = """
INSERT INTO bot_sessions.audio_quality (session_id, stream, start_sample, end_sample, score,
    rms_dbfs, peak_dbfs, clipped_ratio, snr_db, speech_ratio, rolloff_hz, lufs)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT (session_id, stream, start_sample) DO UPDATE SET
    end_sample = excluded.end_sample, score = excluded.score, rms_dbfs = excluded.rms_dbfs,
    peak_dbfs = excluded.peak_dbfs, clipped_ratio = excluded.clipped_ratio,
    snr_db = excluded.snr_db, speech_ratio = excluded.speech_ratio,
    rolloff_hz = excluded.rolloff_hz, lufs = excluded.lufs
"""
"""Audio that is heard again after a restart replaces its own figures."""

STORE_CHUNK = """
INSERT INTO bot_sessions.chunks (session_id, stream, start_sample, end_sample, outcome, engine,
    language_code, words, attempts, latency_ms)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (session_id, stream, start_sample) DO UPDATE SET
    end_sample = excluded.end_sample, outcome = excluded.outcome, engine = excluded.engine,
    language_code = excluded.language_code, words = excluded.words,
    attempts = excluded.attempts, latency_ms = excluded.latency_ms, answered_at = now()
"""

QUALITY_BY_STREAM = """
SELECT stream, count(*) AS chunks, avg(score) AS score, avg(snr_db) AS snr_db,
    avg(speech_ratio) AS speech_ratio, avg(rms_dbfs) AS rms_dbfs,
    avg(clipped_ratio) AS clipped_ratio
FROM bot_sessions.audio_quality WHERE session_id = $1 GROUP BY stream ORDER BY stream
"""
