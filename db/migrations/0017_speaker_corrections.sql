-- What people said about who spoke, in order: mapped, unmapped, merged, renamed.
CREATE TABLE bot_sessions.speaker_corrections (
    session_id            text NOT NULL REFERENCES bot_sessions.sessions ON DELETE CASCADE,
    correction            bigint NOT NULL CHECK (correction >= 0),
    body                  jsonb NOT NULL,
    created_at            timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (session_id, correction)
);
