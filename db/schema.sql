-- The sum of db/migrations, for reading, and for making a database by hand:
-- psql --set ON_ERROR_STOP=1 --single-transaction --file db/schema.sql DATABASE
-- Each thing stands here once, in its last form. A test builds both and finds no difference.

CREATE SCHEMA bot_sessions;

CREATE TABLE bot_sessions.schema_migrations (
    name       text PRIMARY KEY,
    sha256     text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

INSERT INTO bot_sessions.schema_migrations (name, sha256) VALUES
    ('0001_bot_sessions.sql',
     '9fd5f0ea53a8ec3ef4abe7427613c21b3128cfebe1bc783d711d51139922d9b1'),
    ('0002_recovery.sql',
     'e7d21af270e92ee885f2825202cac219da01788a82d9e83771e6b6b8e1451de9'),
    ('0003_recordings.sql',
     '3d2b07dd9c86b5af2eb8eb8e31fe745601507e090b6da85464adf589e39a0b7c'),
    ('0015_audio_quality.sql',
     '890c1b9e84f09e7c5198ad43d9dfb34f1ed622682c5fd241be502134b16ec07c'),
    ('0016_stream_clocks.sql',
     'dd71ecbb831ea27ca1924f60403cca32eebf73091652fd74dd9c6d6efa844ea5'),
    ('0017_speaker_corrections.sql',
     'a963537ba6651e9d4d06fb4e7cede447de2c8f6147e5f785ad02721a380fe834'),
    ('0018_timing.sql',
     'd266c17e12252330881121a9788f4e1b6128228c69f91dd70d8ff5fe55f7ed0c'),
    ('0019_alerts.sql',
     'b6dfed689e4814536be90d5be6ad9f46f2d24c96e38294e3fdefa08b42f122a6'),
    ('0020_settings.sql',
     '1b4eb0f000d017945fd5c4372fe992e418aa8bc4d25d10cfa53c0648f6b52a0f'),
    ('0021_session_data.sql',
     '2e565f8fefdbe360c4c396efc165941cb13273eed68241c675a7b084077b5ec8'),
    ('0022_google_meet.sql',
     '5a49cb4f0b2b08d70ab04c99aa87ada47ed5e197c12e22d4fc505e2a6f9e4325'),
    ('0023_speakers.sql',
     'c7c6e8eb83037630349a6a741d4fea8bafed21416f7a1c1772faacc56bb386ff'),
    ('0024_journal_arrivals.sql',
     '8ec730463e9bcf614f4672500e4c82ed564001a0847693fba3f80a8aac205510'),
    ('0025_connections_and_ends.sql',
     '0b5cafffadcb9c16ae93682c14e9c5aac47fa55764487c26c300d3529121a9ab'),
    ('0026_correlations_of_a_session.sql',
     '74be02fdf9f19084ea4e14701d25c5bfae06e3ea3e9e67d285efa8cb2f56f2a9'),
    ('0027_progress.sql',
     '3f9187afeec65cd0ea81c53be37a0004f030db149b511a9e753bee1cdd424624'),
    ('0028_uploads.sql',
     '97c3b71ce742962dec39e4508bdc93aa5a340039d3a53ee86edb23319c143d7c');

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

-- When a line's words were spoken, in session time.
CREATE FUNCTION bot_sessions.spoken(words jsonb) RETURNS int8multirange
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (SELECT coalesce(range_agg(int8range((word ->> 'start_ns')::bigint,
            greatest((word ->> 'start_ns')::bigint, (word ->> 'end_ns')::bigint))), '{}')
        FROM jsonb_array_elements(words) word);

CREATE FUNCTION bot_sessions.length_ns(spans int8multirange) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (SELECT coalesce(sum(upper(span) - lower(span)), 0)::bigint FROM unnest(spans) span);

-- Sessions of meeting bots: what they sent, what was heard, and who said it.
--
-- Session times (…_ns) are nanoseconds since the session's first sample; sample counts are per
-- channel on the stream's own clock. Every row of a session goes when the session's row goes.

CREATE TABLE bot_sessions.sessions (
    session_id            text PRIMARY KEY,
    bot_id                text,
    meeting_id            text,
    meeting_title         text,
    meeting_uri           text,
    google_meet_space_id  text,
    conference_record_id  text,
    status                text NOT NULL DEFAULT 'created' CHECK (status IN
        ('created', 'active', 'delayed', 'ending', 'completed', 'failed', 'abandoned')),
    status_detail         text,
    language              text,
    target_languages      jsonb NOT NULL DEFAULT '[]',
    participant_count     integer NOT NULL DEFAULT 0,
    settings              jsonb NOT NULL DEFAULT '{}',
    session_metadata      jsonb NOT NULL DEFAULT '{}',
    performance_stats     jsonb NOT NULL DEFAULT '{}',
    -- The wall clock at session time zero; unknown until audio has come.
    zero_unix_ms          bigint,
    start_time            timestamptz GENERATED ALWAYS AS
        (to_timestamp(zero_unix_ms / 1000.0::double precision)) STORED,
    end_time              timestamptz,
    -- Raised by each incarnation of the session's actor; a write under an older one is refused.
    epoch                 bigint NOT NULL DEFAULT 0,
    actor_name            text,
    idempotency_hash      bytea NOT NULL,
    created_at            timestamptz NOT NULL DEFAULT now(),
    updated_at            timestamptz NOT NULL DEFAULT now(),
    -- Facts before this number have had their effect: their rows and events are stored.
    facts_told            bigint NOT NULL DEFAULT 0,
    -- The last fact that the sender announced with its end, -1 for none. Null before that.
    last_fact             bigint CHECK (last_fact >= -1)
) WITH (fillfactor = 80);

CREATE INDEX sessions_newest ON bot_sessions.sessions (created_at DESC, session_id DESC);
CREATE INDEX sessions_status ON bot_sessions.sessions (status, created_at DESC);
CREATE INDEX sessions_actor ON bot_sessions.sessions (actor_name);
CREATE INDEX sessions_meeting ON bot_sessions.sessions (meeting_id);
-- Sessions past their retention, oldest first.
CREATE INDEX sessions_ended ON bot_sessions.sessions (end_time) WHERE end_time IS NOT NULL;

CREATE TABLE bot_sessions.streams (
    session_id            text NOT NULL REFERENCES bot_sessions.sessions ON DELETE CASCADE,
    stream                integer NOT NULL CHECK (stream BETWEEN 0 AND 65535),
    encoding              text NOT NULL CHECK (encoding IN ('s16le', 'f32le')),
    sample_rate           integer NOT NULL CHECK (sample_rate > 0),
    channels              integer NOT NULL CHECK (channels > 0),
    participant_id        text,
    participant_name      text,
    participant_email     text,
    participant_is_bot    boolean,
    -- Where the sender said that the stream ends: -1 for a stream without a frame.
    last_seq              bigint CHECK (last_seq >= -1),
    offset_ns             bigint,
    duration              bigint CHECK (duration >= 0),
    frontier              bigint CHECK (frontier >= 0),
    created_at            timestamptz NOT NULL DEFAULT now(),
    -- Of the other samples some are in gaps; the rest is pending.
    transcribed_samples   bigint NOT NULL DEFAULT 0 CHECK (transcribed_samples >= 0),
    silent_samples        bigint NOT NULL DEFAULT 0 CHECK (silent_samples >= 0),
    -- Of the samples before the frontier; what lies beyond is heard again after a restart.
    transcribed_to_frontier bigint NOT NULL DEFAULT 0
        CHECK (transcribed_to_frontier >= 0),
    PRIMARY KEY (session_id, stream),
    CHECK ((duration IS NULL) = (frontier IS NULL))
) WITH (fillfactor = 50);

-- Files that were uploaded: the streams that they are, or are about to become.
CREATE TABLE bot_sessions.uploads (
    session_id            text NOT NULL REFERENCES bot_sessions.sessions ON DELETE CASCADE,
    stream                integer NOT NULL,
    -- Whether the session was made for the file: nobody else sends to it.
    owns_session          boolean NOT NULL,
    -- By which the same request is known when it comes again, and what was in it.
    idempotency_key       text UNIQUE,
    request_sha256        bytea,
    created_at            timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (session_id, stream),
    CHECK ((idempotency_key IS NULL) = (request_sha256 IS NULL))
);

-- Samples that will never be heard, and why.
CREATE TABLE bot_sessions.gaps (
    session_id            text NOT NULL,
    stream                integer NOT NULL,
    start_sample          bigint NOT NULL,
    end_sample            bigint NOT NULL,
    reason                text NOT NULL,
    created_at            timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (session_id, stream, start_sample),
    FOREIGN KEY (session_id, stream) REFERENCES bot_sessions.streams ON DELETE CASCADE,
    CHECK (start_sample < end_sample)
);

-- Audio as it came, stored before it is acknowledged. PCM does not compress, and in a TOAST table
-- a frame would take two more rows and index entries; so its payload stays in the row, as it is.
CREATE TABLE bot_sessions.audio_journal (
    session_id            text NOT NULL,
    stream                integer NOT NULL,
    seq                   bigint NOT NULL CHECK (seq >= 0),
    first_sample          bigint NOT NULL CHECK (first_sample >= 0),
    sample_count          integer NOT NULL CHECK (sample_count >= 0),
    content_hash          bytea NOT NULL,
    payload               bytea NOT NULL,
    -- When the service read the frame: Unix time in nanoseconds, by a clock that does not step while
    -- its connection lasts. Null for frames journaled before this was kept.
    received_ns           bigint,
    PRIMARY KEY (session_id, stream, seq),
    FOREIGN KEY (session_id, stream) REFERENCES bot_sessions.streams ON DELETE CASCADE
) WITH (toast_tuple_target = 8160);

ALTER TABLE bot_sessions.audio_journal ALTER COLUMN payload SET STORAGE EXTERNAL;

-- Facts as they came: speakers, participants, captions, chat, clocks.
CREATE TABLE bot_sessions.facts (
    session_id            text NOT NULL REFERENCES bot_sessions.sessions ON DELETE CASCADE,
    fact                  bigint NOT NULL CHECK (fact >= 0),
    body                  jsonb NOT NULL,
    received_at           timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (session_id, fact)
);

-- Recordings in files.
CREATE TABLE bot_sessions.audio_files (
    file_id               text PRIMARY KEY,
    session_id            text NOT NULL REFERENCES bot_sessions.sessions ON DELETE CASCADE,
    stream                integer,
    file_path             text NOT NULL,
    file_name             text NOT NULL,
    file_size             bigint NOT NULL CHECK (file_size >= 0),
    file_format           text NOT NULL,
    duration_seconds      double precision,
    sample_rate           integer,
    channels              integer,
    chunk_start_time      double precision,
    chunk_end_time        double precision,
    audio_quality_score   real,
    processing_status     text NOT NULL DEFAULT 'pending' CHECK (processing_status IN
        ('pending', 'processing', 'completed', 'failed', 'timeout')),
    file_hash             text,
    metadata              jsonb NOT NULL DEFAULT '{}',
    created_at            timestamptz NOT NULL DEFAULT now(),
    updated_at            timestamptz NOT NULL DEFAULT now(),
    -- Which frames the file holds: the journal shrinks behind them.
    first_seq             bigint CHECK (first_seq >= 0),
    last_seq              bigint CHECK (last_seq >= first_seq),
    first_sample          bigint CHECK (first_sample >= 0),
    end_sample            bigint CHECK (end_sample > first_sample)
);

CREATE UNIQUE INDEX audio_files_stream ON bot_sessions.audio_files (session_id, stream, first_seq);

-- Final segments: transcript_id is the segment's id, unique within its session.
CREATE TABLE bot_sessions.transcripts (
    session_id            text NOT NULL REFERENCES bot_sessions.sessions ON DELETE CASCADE,
    transcript_id         text NOT NULL,
    source_type           text NOT NULL DEFAULT 'whisper_service' CHECK (source_type IN
        ('whisper_service', 'google_meet', 'manual')),
    stream                integer NOT NULL,
    revision              integer NOT NULL,
    transcript_text       text NOT NULL,
    language_code         text NOT NULL,
    start_ns              bigint NOT NULL,
    end_ns                bigint NOT NULL,
    start_timestamp       double precision NOT NULL GENERATED ALWAYS AS
        (start_ns / 1e9::double precision) STORED,
    end_timestamp         double precision NOT NULL GENERATED ALWAYS AS
        (end_ns / 1e9::double precision) STORED,
    words                 jsonb NOT NULL,
    speaker_id            text,
    speaker_name          text,
    speaker_confidence    double precision,
    speaker_method        text,
    confidence_score      double precision,
    audio_file_id         text REFERENCES bot_sessions.audio_files ON DELETE SET NULL,
    google_transcript_entry_id text,
    processing_metadata   jsonb NOT NULL DEFAULT '{}',
    created_at            timestamptz NOT NULL DEFAULT now(),
    updated_at            timestamptz NOT NULL DEFAULT now(),
    search                tsvector NOT NULL GENERATED ALWAYS AS (to_tsvector(
        bot_sessions.search_configuration(language_code), transcript_text)) STORED,
    PRIMARY KEY (session_id, transcript_id),
    CHECK (start_ns <= end_ns),
    CHECK ((speaker_id IS NULL) = (speaker_name IS NULL))
);

CREATE INDEX transcripts_time ON bot_sessions.transcripts
    (session_id, start_ns, stream, transcript_id);
CREATE INDEX transcripts_audio_file ON bot_sessions.transcripts (audio_file_id)
    WHERE audio_file_id IS NOT NULL;
CREATE INDEX transcripts_span ON bot_sessions.transcripts
    USING gist (session_id, bot_sessions.session_span(start_ns, end_ns));
CREATE INDEX transcripts_google_meet ON bot_sessions.transcripts (session_id)
    WHERE source_type = 'google_meet';
CREATE INDEX transcripts_search ON bot_sessions.transcripts USING gin (search);

CREATE TABLE bot_sessions.translations (
    session_id            text NOT NULL REFERENCES bot_sessions.sessions ON DELETE CASCADE,
    source_transcript_id  text NOT NULL,
    target_language       text NOT NULL,
    translation_id        text NOT NULL GENERATED ALWAYS AS
        (source_transcript_id || ':' || target_language) STORED,
    source_language       text NOT NULL,
    translated_text       text NOT NULL,
    state                 text NOT NULL CHECK (state IN ('final', 'unavailable', 'failed')),
    translation_confidence real,
    translation_service   text NOT NULL,
    processing_metadata   jsonb NOT NULL DEFAULT '{}',
    created_at            timestamptz NOT NULL DEFAULT now(),
    updated_at            timestamptz NOT NULL DEFAULT now(),
    search                tsvector NOT NULL GENERATED ALWAYS AS (to_tsvector(
        bot_sessions.search_configuration(target_language), translated_text)) STORED,
    PRIMARY KEY (session_id, source_transcript_id, target_language),
    FOREIGN KEY (session_id, source_transcript_id)
        REFERENCES bot_sessions.transcripts ON DELETE CASCADE
);

CREATE INDEX translations_search ON bot_sessions.translations USING gin (search);

-- What a caption and a heard line have to do with each other.
CREATE TABLE bot_sessions.correlations (
    correlation_id        text PRIMARY KEY,
    session_id            text NOT NULL REFERENCES bot_sessions.sessions ON DELETE CASCADE,
    google_transcript_id  text,
    inhouse_transcript_id text,
    correlation_confidence real NOT NULL DEFAULT 0
        CHECK (correlation_confidence BETWEEN 0 AND 1),
    timing_offset         double precision NOT NULL DEFAULT 0,
    correlation_type      text NOT NULL,
    correlation_method    text NOT NULL,
    speaker_id            text,
    speaker_name          text,
    start_timestamp       double precision,
    end_timestamp         double precision,
    correlation_metadata  jsonb NOT NULL DEFAULT '{}',
    created_at            timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (session_id, google_transcript_id)
        REFERENCES bot_sessions.transcripts ON DELETE SET NULL (google_transcript_id),
    FOREIGN KEY (session_id, inhouse_transcript_id)
        REFERENCES bot_sessions.transcripts ON DELETE SET NULL (inhouse_transcript_id)
);

CREATE INDEX correlations_google ON bot_sessions.correlations (session_id, google_transcript_id);
CREATE INDEX correlations_inhouse ON bot_sessions.correlations (session_id, inhouse_transcript_id);

CREATE TABLE bot_sessions.participants (
    session_id            text NOT NULL REFERENCES bot_sessions.sessions ON DELETE CASCADE,
    participant_id        text NOT NULL,
    google_participant_id text,
    display_name          text NOT NULL,
    email                 text,
    is_bot                boolean NOT NULL DEFAULT false,
    joined_ns             bigint,
    left_ns               bigint,
    -- The same moments on the wall clock, once that is known.
    join_time             timestamptz,
    leave_time            timestamptz,
    participant_metadata  jsonb NOT NULL DEFAULT '{}',
    created_at            timestamptz NOT NULL DEFAULT now(),
    updated_at            timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (session_id, participant_id)
);

-- When the meeting platform showed somebody as speaking; end_ns is null while it still does.
CREATE TABLE bot_sessions.speaker_intervals (
    session_id            text NOT NULL REFERENCES bot_sessions.sessions ON DELETE CASCADE,
    participant_id        text NOT NULL,
    start_ns              bigint NOT NULL,
    end_ns                bigint,
    speaker_name          text NOT NULL,
    PRIMARY KEY (session_id, participant_id, start_ns),
    CHECK (start_ns <= end_ns)
);

CREATE INDEX speaker_intervals_span ON bot_sessions.speaker_intervals
    USING gist (session_id, bot_sessions.session_span(start_ns, end_ns));

-- What viewers are told, numbered from 1 without holes.
CREATE TABLE bot_sessions.events (
    session_id            text NOT NULL REFERENCES bot_sessions.sessions ON DELETE CASCADE,
    seq                   bigint NOT NULL CHECK (seq >= 1),
    event_type            text NOT NULL,
    event_subtype         text,
    event_data            jsonb NOT NULL DEFAULT '{}',
    "timestamp"           timestamptz NOT NULL DEFAULT now(),
    source_component      text NOT NULL DEFAULT 'session',
    severity              text NOT NULL DEFAULT 'info',
    PRIMARY KEY (session_id, seq)
);

-- Single-use and sign-in tickets, by their hash.
CREATE TABLE bot_sessions.tickets (
    ticket_hash           bytea PRIMARY KEY,
    kind                  text NOT NULL,
    expires_at            timestamptz NOT NULL
);

CREATE INDEX tickets_expiry ON bot_sessions.tickets (expires_at);

-- Each figure is summed over its own table: joined first, rows would count more than once.
CREATE VIEW bot_sessions.session_statistics AS
SELECT
    s.session_id,
    audio.seconds AS total_duration,
    (SELECT count(*) FROM bot_sessions.participants p
        WHERE p.session_id = s.session_id) AS total_participants,
    lines.speakers AS unique_speakers,
    files.files AS total_audio_files,
    files.seconds AS total_audio_duration,
    files.bytes AS total_audio_size,
    lines.lines AS total_transcripts,
    lines.words AS total_transcript_words,
    translated.lines AS total_translations,
    translated.languages AS translation_languages,
    correlated.success_rate AS correlation_success_rate,
    correlated.confidence AS average_correlation_confidence,
    now() AS computed_at
FROM bot_sessions.sessions s
CROSS JOIN LATERAL (
    SELECT coalesce(max(duration / sample_rate::double precision), 0) AS seconds
    FROM bot_sessions.streams WHERE session_id = s.session_id
) audio
CROSS JOIN LATERAL (
    SELECT count(*) AS files, coalesce(sum(duration_seconds), 0) AS seconds,
        coalesce(sum(file_size), 0) AS bytes
    FROM bot_sessions.audio_files WHERE session_id = s.session_id
) files
CROSS JOIN LATERAL (
    SELECT count(*) AS lines, count(DISTINCT speaker_id) AS speakers,
        coalesce(sum(jsonb_array_length(words)), 0) AS words
    FROM bot_sessions.transcripts WHERE session_id = s.session_id
) lines
CROSS JOIN LATERAL (
    SELECT count(*) AS lines,
        coalesce(array_agg(DISTINCT target_language), '{}') AS languages
    FROM bot_sessions.translations WHERE session_id = s.session_id AND state = 'final'
) translated
CROSS JOIN LATERAL (
    SELECT avg((correlation_confidence >= 0.7)::integer) AS success_rate,
        avg(correlation_confidence) AS confidence
    FROM bot_sessions.correlations WHERE session_id = s.session_id
) correlated;

-- Speaking time is that of the words: pauses within lines are none, and time is counted once.
CREATE VIEW bot_sessions.speaker_statistics AS
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

CREATE VIEW bot_sessions.session_overview AS
SELECT
    s.session_id,
    s.bot_id,
    s.meeting_id,
    s.meeting_title,
    s.status,
    s.status_detail,
    s.start_time,
    s.end_time,
    t.total_duration,
    s.participant_count,
    t.unique_speakers,
    t.total_transcripts,
    t.total_transcript_words,
    t.total_translations,
    s.created_at
FROM bot_sessions.sessions s
JOIN bot_sessions.session_statistics t USING (session_id);

-- How good the audio of each chunk was when whisper heard it; samples are the stream's own.
CREATE TABLE bot_sessions.audio_quality (
    session_id            text NOT NULL REFERENCES bot_sessions.sessions ON DELETE CASCADE,
    stream                integer NOT NULL,
    start_sample          bigint NOT NULL CHECK (start_sample >= 0),
    end_sample            bigint NOT NULL CHECK (end_sample > start_sample),
    -- 0 to 1: half for a low noise floor, the rest for speech and level; clipping takes away.
    score                 real NOT NULL CHECK (score BETWEEN 0 AND 1),
    rms_dbfs              real NOT NULL,
    peak_dbfs             real NOT NULL,
    clipped_ratio         real NOT NULL,
    snr_db                real NOT NULL,
    speech_ratio          real NOT NULL,
    rolloff_hz            integer NOT NULL,
    lufs                  real,
    created_at            timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (session_id, stream, start_sample)
);

-- How each stream's sample clock runs against the service's clock, as last estimated.
CREATE TABLE bot_sessions.stream_clocks (
    session_id            text NOT NULL,
    stream                integer NOT NULL,
    -- Where the stream was when this was estimated.
    at_sample             bigint NOT NULL CHECK (at_sample >= 0),
    -- Positive: the stream's samples last longer than their nominal time.
    rate_ppm              double precision NOT NULL,
    rate_error_ppm        double precision NOT NULL,
    -- The service's clock, in Unix time, when sample 0 is received by the path and rate of now.
    offset_ns             bigint NOT NULL,
    offset_error_ns       bigint NOT NULL,
    updated_at            timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (session_id, stream),
    FOREIGN KEY (session_id, stream) REFERENCES bot_sessions.streams ON DELETE CASCADE
) WITH (fillfactor = 50);

-- Steps of a stream's samples, its path or its sender's clock against each other.
CREATE TABLE bot_sessions.clock_changes (
    session_id            text NOT NULL,
    stream                integer NOT NULL,
    at_sample             bigint NOT NULL,
    kind                  text NOT NULL CHECK (kind IN ('capture_gap', 'duplicated_capture',
        'path_change', 'clock_jump', 'unexplained')),
    -- Positive: frames arrive, or are stamped, later than their samples say.
    step_ns               bigint NOT NULL,
    created_at            timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (session_id, stream, at_sample, kind),
    FOREIGN KEY (session_id, stream) REFERENCES bot_sessions.streams ON DELETE CASCADE
);

-- Where a stream lies on the session's timeline from a sample on; before the first, by offset_ns.
CREATE TABLE bot_sessions.timeline_pieces (
    session_id            text NOT NULL,
    stream                integer NOT NULL,
    from_sample           bigint NOT NULL CHECK (from_sample >= 0),
    at_ns                 bigint NOT NULL,
    -- What the piece before had reached: session times do not decrease.
    floor_ns              bigint NOT NULL,
    rate_ppb              integer NOT NULL,
    created_at            timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (session_id, stream, from_sample),
    FOREIGN KEY (session_id, stream) REFERENCES bot_sessions.streams ON DELETE CASCADE
);

-- What people said about who spoke, in order: mapped, unmapped, merged, renamed.
CREATE TABLE bot_sessions.speaker_corrections (
    session_id            text NOT NULL REFERENCES bot_sessions.sessions ON DELETE CASCADE,
    correction            bigint NOT NULL CHECK (correction >= 0),
    body                  jsonb NOT NULL,
    created_at            timestamptz NOT NULL DEFAULT now(),
    corrected_by          text NOT NULL DEFAULT 'api',
    -- Lines that had another name by it.
    repainted             integer NOT NULL DEFAULT 0 CHECK (repainted >= 0),
    PRIMARY KEY (session_id, correction)
);

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

-- What operators were told: alerts, each change of one, and its way to each webhook.
CREATE TABLE bot_sessions.alerts (
    alert_id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code                  text NOT NULL,
    severity              text NOT NULL CHECK (severity IN ('warning', 'critical')),
    subject               text NOT NULL,
    message               text NOT NULL,
    -- The figure that raised it, and how often it was raised for its subject by then.
    value                 bigint NOT NULL,
    occurrence            bigint NOT NULL CHECK (occurrence > 0),
    raised_at             timestamptz NOT NULL,
    cleared_at            timestamptz CHECK (cleared_at >= raised_at)
);

-- One alert of a code and subject holds at a time.
CREATE UNIQUE INDEX alerts_open ON bot_sessions.alerts (code, subject) WHERE cleared_at IS NULL;
CREATE INDEX alerts_subject ON bot_sessions.alerts (code, subject, occurrence DESC);
CREATE INDEX alerts_cleared ON bot_sessions.alerts (cleared_at);

-- Numbered in the order in which they were told; whoever follows resumes by the number.
CREATE TABLE bot_sessions.alert_changes (
    change_id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert_id              bigint NOT NULL REFERENCES bot_sessions.alerts ON DELETE CASCADE,
    change                text NOT NULL CHECK (change IN ('raised', 'cleared')),
    changed_at            timestamptz NOT NULL,
    UNIQUE (alert_id, change)
);

-- What is to be posted still, and what became of the rest. The webhook is named by a hash: its
-- address may be a secret.
CREATE TABLE bot_sessions.alert_posts (
    change_id             bigint NOT NULL REFERENCES bot_sessions.alert_changes ON DELETE CASCADE,
    webhook               text NOT NULL,
    tries                 integer NOT NULL DEFAULT 0,
    due_at                timestamptz NOT NULL,
    outcome               text CHECK (outcome IN ('delivered', 'given_up', 'dropped')),
    PRIMARY KEY (change_id, webhook)
);

CREATE INDEX alert_posts_due ON bot_sessions.alert_posts (webhook, change_id)
    WHERE outcome IS NULL;

-- Settings changed while the service runs: what lies over its file and environment, by version.
CREATE TABLE bot_sessions.settings_versions (
    version               bigint PRIMARY KEY CHECK (version > 0),
    overrides             jsonb NOT NULL CHECK (jsonb_typeof(overrides) = 'object'),
    changed_by            text NOT NULL,
    changed_at            timestamptz NOT NULL,
    comment               text NOT NULL DEFAULT '',
    -- [{"setting", "before", "after"}], without secrets.
    differences           jsonb NOT NULL CHECK (jsonb_typeof(differences) = 'array'),
    -- SHA-256 of all settings that held with it, to find that file or environment have changed.
    settings_digest       text NOT NULL
);

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

-- Sessions that are Google Meet's: what is asked of Meet's records next, and when. Who looks leases
-- a row by moving due_at ahead, so that one looks at a time, and another when that one dies.
CREATE TABLE bot_sessions.google_meet_conferences (
    session_id            text PRIMARY KEY REFERENCES bot_sessions.sessions ON DELETE CASCADE,
    meeting_code          text NOT NULL,
    phase                 text NOT NULL DEFAULT 'following' CHECK (phase IN
        ('following', 'awaiting', 'repaired', 'given_up')),
    due_at                timestamptz NOT NULL,
    -- Looks in vain, in a row.
    attempts              integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    detail                text NOT NULL DEFAULT '',
    created_at            timestamptz NOT NULL DEFAULT now(),
    updated_at            timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX google_meet_due ON bot_sessions.google_meet_conferences (due_at)
    WHERE phase IN ('following', 'awaiting');

-- The names that the meeting platform gave a participant, in order.
CREATE TABLE bot_sessions.participant_names (
    session_id            text NOT NULL REFERENCES bot_sessions.sessions ON DELETE CASCADE,
    participant_id        text NOT NULL,
    number                bigint GENERATED ALWAYS AS IDENTITY,
    name                  text NOT NULL,
    named_at              timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (session_id, participant_id, number)
);

-- Senders in the order they came to the service, whichever replica they came to.
CREATE SEQUENCE bot_sessions.connection_numbers;

-- Whose each voice and each line is. A voice is as it is stored. A line's name is the one it has
-- now; a row of its own that tells by the same method, as Google Meet's entries do, is evidence.
CREATE VIEW bot_sessions.speaker_correlations AS
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
