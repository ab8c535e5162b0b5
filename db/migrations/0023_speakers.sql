-- Who corrected speakers, every name that participants had, and how long everybody spoke.

ALTER TABLE bot_sessions.speaker_corrections
    ADD COLUMN corrected_by text NOT NULL DEFAULT 'api',
    -- Lines that had another name by it.
    ADD COLUMN repainted    integer NOT NULL DEFAULT 0 CHECK (repainted >= 0);

-- The names that the meeting platform gave a participant, in order.
CREATE TABLE bot_sessions.participant_names (
    session_id            text NOT NULL REFERENCES bot_sessions.sessions ON DELETE CASCADE,
    participant_id        text NOT NULL,
    number                bigint GENERATED ALWAYS AS IDENTITY,
    name                  text NOT NULL,
    named_at              timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (session_id, participant_id, number)
);

INSERT INTO bot_sessions.participant_names (session_id, participant_id, name, named_at)
SELECT session_id, participant_id, display_name, created_at FROM bot_sessions.participants;

-- When a line's words were spoken, in session time.
CREATE FUNCTION bot_sessions.spoken(words jsonb) RETURNS int8multirange
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (SELECT coalesce(range_agg(int8range((word ->> 'start_ns')::bigint,
            greatest((word ->> 'start_ns')::bigint, (word ->> 'end_ns')::bigint))), '{}')
        FROM jsonb_array_elements(words) word);

CREATE FUNCTION bot_sessions.length_ns(spans int8multirange) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (SELECT coalesce(sum(upper(span) - lower(span)), 0)::bigint FROM unnest(spans) span);

-- Speaking time is that of the words: pauses within lines are none, and time is counted once.
CREATE OR REPLACE VIEW bot_sessions.speaker_statistics AS
SELECT
    session_id,
    speaker_id,
    max(speaker_name) AS speaker_name,
    count(*) AS total_segments,
    sum(jsonb_array_length(words)) AS total_words,
    bot_sessions.length_ns(range_agg(bot_sessions.spoken(words))) / 1e9::double precision
        AS total_speaking_time,
    avg(speaker_confidence) AS average_confidence,
    min(start_timestamp) AS first_spoke,
    max(end_timestamp) AS last_spoke
FROM bot_sessions.transcripts
WHERE speaker_id IS NOT NULL
GROUP BY session_id, speaker_id;
