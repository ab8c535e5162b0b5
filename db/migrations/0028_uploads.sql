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
