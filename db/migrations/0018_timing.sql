-- Everything of a session on one timeline, and by how much sources were corrected against it.

-- Lets an index hold a session's id beside a range of its time.
CREATE EXTENSION IF NOT EXISTS btree_gist WITH SCHEMA bot_sessions;

-- Session time as a half-open range: an unknown end has none, and a moment lasts 1 ns.
CREATE FUNCTION bot_sessions.session_span(start_ns bigint, end_ns bigint) RETURNS int8range
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN int8range(start_ns, CASE
        WHEN end_ns > start_ns OR start_ns IS NULL THEN end_ns
        WHEN end_ns IS NOT NULL THEN start_ns + 1 END);

-- Null for what is over a hundred days from the session's start: a clock that was never set.
CREATE FUNCTION bot_sessions.bounded_ns(ns numeric) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN ns BETWEEN -1e16 AND 1e16 THEN ns::bigint END;

CREATE INDEX transcripts_span ON bot_sessions.transcripts
    USING gist (session_id, bot_sessions.session_span(start_ns, end_ns));
CREATE INDEX speaker_intervals_span ON bot_sessions.speaker_intervals
    USING gist (session_id, bot_sessions.session_span(start_ns, end_ns));
CREATE INDEX transcripts_google_meet ON bot_sessions.transcripts (session_id)
    WHERE source_type = 'google_meet';

-- Captions on session time, as their senders' clocks say.
CREATE VIEW bot_sessions.caption_times AS
SELECT
    f.session_id,
    'fact-' || f.fact AS caption_id,
    f.body ->> 'participant_id' AS participant_id,
    f.body ->> 'name' AS speaker_name,
    f.body ->> 'text' AS caption_text,
    bot_sessions.bounded_ns(CASE WHEN f.body ? 'start_sample'
        THEN st.offset_ns + div((f.body ->> 'start_sample')::numeric * 1000000000, st.sample_rate)
        ELSE ((f.body ->> 'start_unix_ms')::numeric - s.zero_unix_ms) * 1000000 END) AS start_ns,
    bot_sessions.bounded_ns(CASE WHEN f.body ? 'end_sample'
        THEN st.offset_ns + div((f.body ->> 'end_sample')::numeric * 1000000000, st.sample_rate)
        ELSE ((f.body ->> 'end_unix_ms')::numeric - s.zero_unix_ms) * 1000000 END) AS end_ns
FROM bot_sessions.facts f
JOIN bot_sessions.sessions s USING (session_id)
LEFT JOIN bot_sessions.streams st
    ON st.session_id = f.session_id AND st.stream = (f.body ->> 'stream')::integer
WHERE f.body ->> 'type' = 'caption'
UNION ALL
SELECT session_id, transcript_id, speaker_id, speaker_name, transcript_text, start_ns, end_ns
FROM bot_sessions.transcripts WHERE source_type = 'google_meet';

-- What is taken off the times of a source that has a clock of its own. Its newest row holds.
CREATE TABLE bot_sessions.timing_corrections (
    session_id            text NOT NULL REFERENCES bot_sessions.sessions ON DELETE CASCADE,
    number                bigint GENERATED ALWAYS AS IDENTITY,
    source                text NOT NULL CHECK (source IN
        ('captions', 'speaker_intervals', 'correlations')),
    -- In all, not beyond an earlier correction.
    offset_ns             bigint NOT NULL,
    matched               integer NOT NULL CHECK (matched >= 0),
    quality_before        double precision CHECK (quality_before BETWEEN 0 AND 1),
    quality_after         double precision CHECK (quality_after BETWEEN 0 AND 1),
    reason                text NOT NULL,
    applied_by            text NOT NULL,
    applied_at            timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (session_id, source, number)
);
