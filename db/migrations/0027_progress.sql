-- What is stored of a stream's progress has the same size however long the meeting is. Which samples
-- are lost is in gaps; of the others it counts how many they are.
ALTER TABLE bot_sessions.streams
    ADD COLUMN transcribed_samples bigint NOT NULL DEFAULT 0 CHECK (transcribed_samples >= 0),
    ADD COLUMN silent_samples bigint NOT NULL DEFAULT 0 CHECK (silent_samples >= 0),
    -- Of the samples before the frontier; what lies beyond is heard again after a restart.
    ADD COLUMN transcribed_to_frontier bigint NOT NULL DEFAULT 0
        CHECK (transcribed_to_frontier >= 0);

UPDATE bot_sessions.streams SET
    transcribed_samples = bot_sessions.length_ns(transcribed),
    silent_samples = bot_sessions.length_ns(silent),
    transcribed_to_frontier =
        bot_sessions.length_ns(transcribed * int8multirange(int8range(0, coalesce(frontier, 0))));

ALTER TABLE bot_sessions.streams DROP COLUMN transcribed, DROP COLUMN silent;
