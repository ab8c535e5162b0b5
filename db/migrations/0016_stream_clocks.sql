-- How each stream's sample clock runs against the service's clock, as last estimated.
CREATE TABLE bot_sessions.stream_clocks (
    session_id            text NOT NULL,
    stream                integer NOT NULL,
    -- Where the stream was when this was estimated.
    at_sample             bigint NOT NULL CHECK (at_sample >= 0),
    -- Positive: the stream's samples last longer than their nominal time.
    rate_ppm              double precision NOT NULL,
    rate_error_ppm        double precision NOT NULL,
    -- The service's clock, in Unix time, when sample 0 is received by the path and rate of now.
    offset_ns             bigint NOT NULL,
    offset_error_ns       bigint NOT NULL,
    updated_at            timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (session_id, stream),
    FOREIGN KEY (session_id, stream) REFERENCES bot_sessions.streams ON DELETE CASCADE
) WITH (fillfactor = 50);

-- Steps of a stream's samples, its path or its sender's clock against each other.
CREATE TABLE bot_sessions.clock_changes (
    session_id            text NOT NULL,
    stream                integer NOT NULL,
    at_sample             bigint NOT NULL,
    kind                  text NOT NULL CHECK (kind IN ('capture_gap', 'duplicated_capture',
        'path_change', 'clock_jump', 'unexplained')),
    -- Positive: frames arrive, or are stamped, later than their samples say.
    step_ns               bigint NOT NULL,
    created_at            timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (session_id, stream, at_sample, kind),
    FOREIGN KEY (session_id, stream) REFERENCES bot_sessions.streams ON DELETE CASCADE
);

-- Where a stream lies on the session's timeline from a sample on; before the first, by offset_ns.
CREATE TABLE bot_sessions.timeline_pieces (
    session_id            text NOT NULL,
    stream                integer NOT NULL,
    from_sample           bigint NOT NULL CHECK (from_sample >= 0),
    at_ns                 bigint NOT NULL,
    -- What the piece before had reached: session times do not decrease.
    floor_ns              bigint NOT NULL,
    rate_ppb              integer NOT NULL,
    created_at            timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (session_id, stream, from_sample),
    FOREIGN KEY (session_id, stream) REFERENCES bot_sessions.streams ON DELETE CASCADE
);
