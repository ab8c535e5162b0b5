"""SQL: everything of a session on its one timeline.

What belongs to a window is found by ranges: `session_span` is what the GiST indexes of lines and
speaking intervals hold. A source that is corrected has its correction added to the window, not to
its rows, so that the index still serves.
"""

# $1 session, $2 and $3 the window, $4 sources, $5 to $7 the cursor, $8 limit; corrections in ns:
# $9 speaking intervals, $10 captions, $11 correlations.
TIMELINE = """
WITH captions AS MATERIALIZED (
    SELECT * FROM bot_sessions.caption_times
    WHERE session_id = $1 AND 'captions' = ANY ($4::text[])
)
SELECT * FROM (
    SELECT 'audio' AS source, st.stream::text AS row_id, st.offset_ns AS start_ns,
        st.offset_ns + st.duration * 1000000000 / st.sample_rate AS end_ns,
        0::bigint AS correction_ns, st.stream, NULL::text AS segment_id,
        st.participant_id AS speaker_id, st.participant_name AS speaker_name,
        NULL::text AS language, NULL::text AS text, NULL::double precision AS confidence
    FROM bot_sessions.streams st
    WHERE st.session_id = $1 AND st.offset_ns IS NOT NULL AND st.duration IS NOT NULL
        AND bot_sessions.session_span(st.offset_ns,
            st.offset_ns + st.duration * 1000000000 / st.sample_rate)
            && int8range($2, $3)
    UNION ALL
    SELECT 'audio', f.file_name, st.offset_ns + f.first_sample * 1000000000 / f.sample_rate,
        st.offset_ns + f.end_sample * 1000000000 / f.sample_rate, 0, f.stream, NULL,
        st.participant_id, st.participant_name, NULL, NULL, f.audio_quality_score
    FROM bot_sessions.audio_files f
    JOIN bot_sessions.streams st USING (session_id, stream)
    WHERE f.session_id = $1 AND f.first_sample IS NOT NULL AND st.offset_ns IS NOT NULL
        AND bot_sessions.session_span(
            st.offset_ns + f.first_sample * 1000000000 / f.sample_rate,
            st.offset_ns + f.end_sample * 1000000000 / f.sample_rate) && int8range($2, $3)
    UNION ALL
    SELECT 'transcripts', t.transcript_id, t.start_ns, t.end_ns, 0, t.stream, t.transcript_id,
        t.speaker_id, t.speaker_name, t.language_code, t.transcript_text, t.confidence_score
    FROM bot_sessions.transcripts t
    WHERE t.session_id = $1 AND t.source_type <> 'google_meet'
        AND bot_sessions.session_span(t.start_ns, t.end_ns) && int8range($2, $3)
    UNION ALL
    SELECT 'translations', n.translation_id, t.start_ns, t.end_ns, 0, t.stream, t.transcript_id,
        t.speaker_id, t.speaker_name, n.target_language, n.translated_text,
        n.translation_confidence
    FROM bot_sessions.translations n
    JOIN bot_sessions.transcripts t
        ON t.session_id = n.session_id AND t.transcript_id = n.source_transcript_id
    WHERE n.session_id = $1 AND t.session_id = $1
        AND bot_sessions.session_span(t.start_ns, t.end_ns) && int8range($2, $3)
    UNION ALL
    SELECT 'speaker_intervals', i.participant_id || ':' || i.start_ns, i.start_ns - $9,
        i.end_ns - $9, $9, NULL, NULL, i.participant_id, i.speaker_name, NULL, NULL, NULL
    FROM bot_sessions.speaker_intervals i
    WHERE i.session_id = $1
        AND bot_sessions.session_span(i.start_ns, i.end_ns) && int8range($2 + $9, $3 + $9)
    UNION ALL
    SELECT 'captions', c.caption_id, c.start_ns - $10, c.end_ns - $10, $10, NULL, NULL,
        c.participant_id, c.speaker_name, NULL, c.caption_text, NULL
    FROM captions c
    WHERE c.start_ns IS NOT NULL
        AND bot_sessions.session_span(c.start_ns, greatest(c.start_ns, c.end_ns))
            && int8range($2 + $10, $3 + $10)
    UNION ALL
    SELECT 'correlations', c.correlation_id, c.start_ns - $11, c.end_ns - $11, $11, NULL,
        c.inhouse_transcript_id, c.speaker_id, c.speaker_name, NULL, NULL,
        c.correlation_confidence
    FROM (
        SELECT c.*, bot_sessions.bounded_ns(round((c.start_timestamp * 1e9)::numeric)) AS start_ns,
            bot_sessions.bounded_ns(round((c.end_timestamp * 1e9)::numeric)) AS end_ns
        FROM bot_sessions.correlations c WHERE c.session_id = $1
    ) c
    WHERE c.start_ns IS NOT NULL
        AND bot_sessions.session_span(c.start_ns, greatest(c.start_ns, c.end_ns))
            && int8range($2 + $11, $3 + $11)
    UNION ALL
    SELECT 'participants', p.participant_id, p.joined_ns,
        CASE WHEN p.left_ns >= p.joined_ns OR p.joined_ns IS NULL THEN p.left_ns END, 0, NULL,
        NULL, p.participant_id, p.display_name, NULL, NULL, NULL
    FROM bot_sessions.participants p
    WHERE p.session_id = $1 AND bot_sessions.session_span(p.joined_ns,
        CASE WHEN p.left_ns >= p.joined_ns OR p.joined_ns IS NULL THEN p.left_ns END)
        && int8range($2, $3)
) rows
WHERE source = ANY ($4::text[])
    AND (coalesce(start_ns, 0), source, row_id) > ($5::bigint, $6::text, $7::text)
ORDER BY coalesce(start_ns, 0), source, row_id LIMIT $8
"""
"""Who joined again after leaving has no end: the later of the two holds."""

# $1 session, $2 lines, $3 tolerance in ns, $4 sources, $5 rows of each source for a line;
# corrections in ns: $6 speaking intervals, $7 captions, $8 correlations.
RELATED = """
WITH lines AS MATERIALIZED (
    SELECT transcript_id, stream, start_ns, end_ns,
        int8range(start_ns - $3, greatest(end_ns, start_ns + 1) + $3) AS span
    FROM bot_sessions.transcripts
    WHERE session_id = $1 AND transcript_id = ANY ($2::text[])
), told AS MATERIALIZED (
    SELECT caption_id, start_ns - $7 AS start_ns, end_ns - $7 AS end_ns
    FROM bot_sessions.caption_times
    WHERE session_id = $1 AND 'captions' = ANY ($4::text[])
), captions AS MATERIALIZED (
    SELECT *, bot_sessions.session_span(start_ns, greatest(start_ns, end_ns)) AS span
    FROM told WHERE start_ns IS NOT NULL
)
SELECT l.transcript_id AS line, r.* FROM lines l
CROSS JOIN LATERAL (
    (SELECT 'speaker_intervals' AS source, i.participant_id || ':' || i.start_ns AS row_id,
        i.start_ns - $6 AS start_ns, i.end_ns - $6 AS end_ns,
        NULL::double precision AS confidence
    FROM bot_sessions.speaker_intervals i
    WHERE i.session_id = $1 AND bot_sessions.session_span(i.start_ns, i.end_ns)
        && int8range(lower(l.span) + $6, upper(l.span) + $6)
    ORDER BY i.start_ns LIMIT $5)
    UNION ALL
    (SELECT 'captions', c.caption_id, c.start_ns, c.end_ns, NULL
    FROM captions c WHERE c.span && l.span ORDER BY c.start_ns LIMIT $5)
    UNION ALL
    SELECT 'translations', n.translation_id, l.start_ns, l.end_ns, n.translation_confidence
    FROM bot_sessions.translations n
    WHERE n.session_id = $1 AND n.source_transcript_id = l.transcript_id
    UNION ALL
    (SELECT 'correlations', c.correlation_id,
        coalesce(bot_sessions.bounded_ns(round((c.start_timestamp * 1e9)::numeric)) - $8,
            l.start_ns),
        coalesce(bot_sessions.bounded_ns(round((c.end_timestamp * 1e9)::numeric)) - $8, l.end_ns),
        c.correlation_confidence
    FROM bot_sessions.correlations c
    WHERE c.session_id = $1 AND c.inhouse_transcript_id = l.transcript_id
    ORDER BY c.correlation_id LIMIT $5)
    UNION ALL
    SELECT 'audio', f.file_name, st.offset_ns + f.first_sample * 1000000000 / f.sample_rate,
        st.offset_ns + f.end_sample * 1000000000 / f.sample_rate, NULL
    FROM bot_sessions.audio_files f
    JOIN bot_sessions.streams st USING (session_id, stream)
    WHERE f.session_id = $1 AND f.stream = l.stream AND f.first_sample IS NOT NULL
        AND bot_sessions.session_span(st.offset_ns + f.first_sample * 1000000000 / f.sample_rate,
            st.offset_ns + f.end_sample * 1000000000 / f.sample_rate) && l.span
) r
WHERE r.source = ANY ($4::text[])
ORDER BY l.transcript_id, r.source, r.start_ns, r.row_id
"""

CURRENT_CORRECTIONS = """
SELECT DISTINCT ON (source) source, offset_ns FROM bot_sessions.timing_corrections
WHERE session_id = $1 ORDER BY source, number DESC
"""

CORRECTIONS = """
SELECT source, offset_ns, matched, reason, quality_before, quality_after, applied_by, applied_at
FROM (
    SELECT *, number = max(number) OVER (PARTITION BY source) AS holds
    FROM bot_sessions.timing_corrections WHERE session_id = $1
) corrections
ORDER BY holds DESC, number DESC LIMIT $2
"""

STORE_CORRECTION = """
INSERT INTO bot_sessions.timing_corrections (session_id, source, offset_ns, matched, reason,
    quality_before, quality_after, applied_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""

TIMING_STATISTICS = """
SELECT count(*) AS corrections, count(DISTINCT session_id) AS sessions,
    coalesce(avg(abs(offset_ns)), 0)::bigint AS mean_abs_offset_ns,
    avg(quality_before) AS mean_quality_before, avg(quality_after) AS mean_quality_after,
    max(applied_at) AS last_applied_at,
    count(*) FILTER (WHERE source = 'captions') AS captions,
    count(*) FILTER (WHERE source = 'correlations') AS correlations,
    count(*) FILTER (WHERE source = 'speaker_intervals') AS speaker_intervals
FROM bot_sessions.timing_corrections
"""
