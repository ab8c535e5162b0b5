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
