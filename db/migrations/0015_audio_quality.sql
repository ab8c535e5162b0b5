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
