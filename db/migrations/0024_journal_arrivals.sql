-- When the service read a frame: Unix time in nanoseconds, by a clock that does not step while its
-- connection lasts. Null for frames journaled before this was kept.
ALTER TABLE bot_sessions.audio_journal ADD COLUMN received_ns bigint;
