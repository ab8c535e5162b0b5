-- Which frames a recording's file holds: the journal shrinks behind them.
ALTER TABLE bot_sessions.audio_files
    ADD COLUMN first_seq    bigint CHECK (first_seq >= 0),
    ADD COLUMN last_seq     bigint CHECK (last_seq >= first_seq),
    ADD COLUMN first_sample bigint CHECK (first_sample >= 0),
    ADD COLUMN end_sample   bigint CHECK (end_sample > first_sample);

CREATE UNIQUE INDEX audio_files_stream ON bot_sessions.audio_files (session_id, stream, first_seq);
DROP INDEX bot_sessions.audio_files_session;
