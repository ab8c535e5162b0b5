-- What each chunk was, search over what was said in all sessions, and what was erased.

-- Chunks that whisper heard or that were given up; how good their audio was is in audio_quality.
-- Samples are the stream's own.
CREATE TABLE bot_sessions.chunks (
    session_id            text NOT NULL REFERENCES bot_sessions.sessions ON DELETE CASCADE,
    stream                integer NOT NULL,
    start_sample          bigint NOT NULL CHECK (start_sample >= 0),
    end_sample            bigint NOT NULL CHECK (end_sample > start_sample),
    outcome               text NOT NULL CHECK (outcome IN ('heard', 'lost')),
    -- Empty when it was lost.
    engine                text NOT NULL,
    language_code         text NOT NULL,
    words                 integer NOT NULL CHECK (words >= 0),
    -- How often it was sent, and from its last sending to the answer.
    attempts              integer NOT NULL CHECK (attempts >= 1),
    latency_ms            integer NOT NULL CHECK (latency_ms >= 0),
    answered_at           timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (session_id, stream, start_sample)
);

-- By which rules words of a language (ISO 639) are reduced to their stems; others are kept whole.
CREATE FUNCTION bot_sessions.search_configuration(language_code text) RETURNS regconfig
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE language_code
        WHEN 'ar' THEN 'pg_catalog.arabic'::regconfig
        WHEN 'hy' THEN 'pg_catalog.armenian'::regconfig
        WHEN 'eu' THEN 'pg_catalog.basque'::regconfig
        WHEN 'ca' THEN 'pg_catalog.catalan'::regconfig
        WHEN 'da' THEN 'pg_catalog.danish'::regconfig
        WHEN 'nl' THEN 'pg_catalog.dutch'::regconfig
        WHEN 'en' THEN 'pg_catalog.english'::regconfig
        WHEN 'fi' THEN 'pg_catalog.finnish'::regconfig
        WHEN 'fr' THEN 'pg_catalog.french'::regconfig
        WHEN 'de' THEN 'pg_catalog.german'::regconfig
        WHEN 'el' THEN 'pg_catalog.greek'::regconfig
        WHEN 'hi' THEN 'pg_catalog.hindi'::regconfig
        WHEN 'hu' THEN 'pg_catalog.hungarian'::regconfig
        WHEN 'id' THEN 'pg_catalog.indonesian'::regconfig
        WHEN 'ga' THEN 'pg_catalog.irish'::regconfig
        WHEN 'it' THEN 'pg_catalog.italian'::regconfig
        WHEN 'lt' THEN 'pg_catalog.lithuanian'::regconfig
        WHEN 'ne' THEN 'pg_catalog.nepali'::regconfig
        WHEN 'nb' THEN 'pg_catalog.norwegian'::regconfig
        WHEN 'nn' THEN 'pg_catalog.norwegian'::regconfig
        WHEN 'no' THEN 'pg_catalog.norwegian'::regconfig
        WHEN 'pt' THEN 'pg_catalog.portuguese'::regconfig
        WHEN 'ro' THEN 'pg_catalog.romanian'::regconfig
        WHEN 'ru' THEN 'pg_catalog.russian'::regconfig
        WHEN 'sr' THEN 'pg_catalog.serbian'::regconfig
        WHEN 'es' THEN 'pg_catalog.spanish'::regconfig
        WHEN 'sv' THEN 'pg_catalog.swedish'::regconfig
        WHEN 'ta' THEN 'pg_catalog.tamil'::regconfig
        WHEN 'tr' THEN 'pg_catalog.turkish'::regconfig
        WHEN 'yi' THEN 'pg_catalog.yiddish'::regconfig
        ELSE 'pg_catalog.simple'::regconfig END;

ALTER TABLE bot_sessions.transcripts ADD COLUMN search tsvector NOT NULL GENERATED ALWAYS AS
    (to_tsvector(bot_sessions.search_configuration(language_code), transcript_text)) STORED;
ALTER TABLE bot_sessions.translations ADD COLUMN search tsvector NOT NULL GENERATED ALWAYS AS
    (to_tsvector(bot_sessions.search_configuration(target_language), translated_text)) STORED;

CREATE INDEX transcripts_search ON bot_sessions.transcripts USING gin (search);
CREATE INDEX translations_search ON bot_sessions.translations USING gin (search);

-- What was erased: how much, and nothing that says of whom.
CREATE TABLE bot_sessions.erasures (
    erasure_id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind                  text NOT NULL CHECK (kind IN ('session', 'person', 'retention')),
    sessions              integer NOT NULL CHECK (sessions >= 0),
    -- Removed or overwritten rows by table.
    rows_by_table         jsonb NOT NULL,
    files                 bigint NOT NULL CHECK (files >= 0),
    bytes                 bigint NOT NULL CHECK (bytes >= 0),
    erased_at             timestamptz NOT NULL DEFAULT now()
);

-- Sessions past their retention, oldest first.
CREATE INDEX sessions_ended ON bot_sessions.sessions (end_time) WHERE end_time IS NOT NULL;
