-- What an actor that takes over a session needs to tell nothing twice.

-- Facts before this number have had their effect: their rows and events are stored.
ALTER TABLE bot_sessions.sessions ADD COLUMN facts_told bigint NOT NULL DEFAULT 0;
