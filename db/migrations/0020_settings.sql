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
