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
