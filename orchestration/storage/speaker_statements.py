"""Corrections and correlations of speakers, in SQL."""

FINAL_SEGMENTS = """
SELECT * FROM bot_sessions.transcripts WHERE session_id = $1 ORDER BY start_ns, transcript_id
"""

SEGMENTS_OF = """
SELECT * FROM bot_sessions.transcripts WHERE session_id = $1 AND speaker_id = ANY ($2::text[])
    AND (start_ns, transcript_id) > ($3::bigint, $4::text)
ORDER BY start_ns, transcript_id LIMIT $5
"""

REPAINTABLE = """
SELECT * FROM (
    SELECT * FROM bot_sessions.transcripts WHERE session_id = $1
    ORDER BY start_ns DESC, transcript_id DESC LIMIT $2
) newest ORDER BY start_ns, transcript_id
"""

CORRECTIONS = """
SELECT body FROM bot_sessions.speaker_corrections WHERE session_id = $1 ORDER BY correction
"""

INSERT_CORRECTIONS = """
INSERT INTO bot_sessions.speaker_corrections (session_id, correction, body, corrected_by, repainted)
SELECT $1, * FROM unnest($2::bigint[], $3::jsonb[], $4::text[], $5::integer[])
ON CONFLICT DO NOTHING
"""

UPSERT_CORRELATIONS = """
INSERT INTO bot_sessions.correlations (session_id, correlation_id, correlation_confidence,
    timing_offset, correlation_type, correlation_method, speaker_id, speaker_name,
    correlation_metadata, inhouse_transcript_id, start_timestamp, end_timestamp)
SELECT $1, $1 || ':' || source, confidence, timing_offset, kind, method, speaker_id, name, evidence,
    segment_id, start_s, end_s
FROM unnest($2::text[], $3::real[], $4::float8[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::jsonb[], $10::text[], $11::float8[], $12::float8[]) AS given (source, confidence,
    timing_offset, kind, method, speaker_id, name, evidence, segment_id, start_s, end_s)
ON CONFLICT (correlation_id) DO UPDATE SET
    correlation_confidence = EXCLUDED.correlation_confidence,
    timing_offset = EXCLUDED.timing_offset, correlation_type = EXCLUDED.correlation_type,
    correlation_method = EXCLUDED.correlation_method, speaker_id = EXCLUDED.speaker_id,
    speaker_name = EXCLUDED.speaker_name, correlation_metadata = EXCLUDED.correlation_metadata,
    inhouse_transcript_id = EXCLUDED.inhouse_transcript_id,
    start_timestamp = EXCLUDED.start_timestamp, end_timestamp = EXCLUDED.end_timestamp
"""

# $2: labels.
VOICES = """
SELECT label, c.speaker_id, c.correlation_confidence::double precision AS share,
    coalesce((c.correlation_metadata ->> 'seconds_together')::double precision, 0) AS seconds,
    coalesce((c.correlation_metadata ->> 'episodes')::integer, 0) AS episodes
FROM unnest($2::text[]) AS heard (label)
JOIN bot_sessions.correlations c ON c.correlation_id = $1 || ':' || label
WHERE c.session_id = $1 AND c.correlation_method = 'acoustic' AND c.speaker_id IS NOT NULL
    AND c.correlation_confidence > 0
"""

# The other voices of the same upstream that had a voice's name, and have given it up.
FORGET_GIVEN_UP = """
DELETE FROM bot_sessions.correlations c
USING unnest($2::text[], $3::text[], $4::text[]) AS given (source, upstream, speaker_id)
WHERE c.session_id = $1 AND c.correlation_method = 'acoustic' AND c.speaker_id = given.speaker_id
    AND c.correlation_id <> $1 || ':' || given.source
    AND left(c.correlation_id, -strpos(reverse(c.correlation_id), '#'))
        = $1 || ':' || given.upstream
"""

# A name is kept when it is not the last one kept.
NOTE_NAMES = """
INSERT INTO bot_sessions.participant_names (session_id, participant_id, name)
SELECT $1, given.participant_id, given.name
FROM unnest($2::text[], $3::text[]) AS given (participant_id, name)
WHERE given.name IS DISTINCT FROM (
    SELECT n.name FROM bot_sessions.participant_names n
    WHERE n.session_id = $1 AND n.participant_id = given.participant_id
    ORDER BY n.number DESC LIMIT 1)
"""

# What was mapped or merged by hand, and is so no more. Evidence that comes after it is kept.
FORGET_CORRELATIONS = """
DELETE FROM bot_sessions.correlations
WHERE session_id = $1 AND correlation_method = 'manual'
    AND correlation_id IN (SELECT $1 || ':' || source FROM unnest($2::text[]) AS given (source))
"""

CORRECTIONS_PAGE = """
SELECT correction AS number, body, corrected_by, repainted, created_at AS at
FROM bot_sessions.speaker_corrections WHERE session_id = $1 AND correction > $2
ORDER BY correction LIMIT $3
"""

ATTENDED = """
SELECT participant_id, display_name, email, is_bot, google_participant_id, joined_ns, left_ns
FROM bot_sessions.participants WHERE session_id = $1
ORDER BY joined_ns NULLS LAST, participant_id LIMIT $2
"""

FIGURES = """count(*)::integer AS segments,
    coalesce(sum(jsonb_array_length(words)), 0)::integer AS words,
    bot_sessions.length_ns(range_agg(bot_sessions.spoken(words))) AS speaking_ns,
    avg(speaker_confidence) AS confidence,
    (count(*) FILTER (WHERE speaker_confidence >= $2::float8))::integer AS sure"""

# A person's total is no sum over methods: two of them may have the same moment.
SPOKEN = f"""
SELECT speaker_id, grouping(speaker_method) = 1 AS is_total, speaker_method AS method,
    max(speaker_name) AS name, min(start_ns) AS first_ns, max(end_ns) AS last_ns, {FIGURES}
FROM bot_sessions.transcripts WHERE session_id = $1 AND speaker_id IS NOT NULL
GROUP BY GROUPING SETS ((speaker_id), (speaker_id, speaker_method))
ORDER BY speaker_id, segments DESC
"""

METHODS = f"""
SELECT speaker_method AS method, {FIGURES}
FROM bot_sessions.transcripts WHERE session_id = $1
GROUP BY speaker_method ORDER BY segments DESC, speaker_method
"""

LABELS = """
SELECT word ->> 'label' AS label, speaker_id, count(*)::integer AS words
FROM bot_sessions.transcripts, jsonb_array_elements(words) word
WHERE session_id = $1 AND word ->> 'label' LIKE 'voice:%'
GROUP BY 1, 2 ORDER BY words DESC, 1, 2 LIMIT $2
"""

NAMES = """
SELECT speaker_id, name, given_by, at FROM (
    SELECT named.*, row_number() OVER (PARTITION BY speaker_id ORDER BY at DESC, place DESC) AS age
    FROM (
        SELECT participant_id AS speaker_id, name, NULL AS given_by, named_at AS at,
            number AS place
        FROM bot_sessions.participant_names WHERE session_id = $1
        UNION ALL
        SELECT coalesce(body #>> '{person,id}', body ->> 'speaker_id'),
            coalesce(body #>> '{person,name}', body ->> 'name'), corrected_by, created_at,
            correction
        FROM bot_sessions.speaker_corrections
        WHERE session_id = $1 AND body ->> 'correction' IN ('map', 'rename')
    ) named
) aged WHERE age <= $2 ORDER BY speaker_id, age DESC
"""

# Voices come before the lines.
CORRELATIONS_PAGE = """
WITH page AS (
    SELECT * FROM bot_sessions.speaker_correlations
    WHERE session_id = $1 AND (start_ns IS NULL OR start_ns < $3)
        AND (end_ns IS NULL OR end_ns > $2 OR start_ns >= $2)
        AND place >= $4 AND (place, correlation_id) > ($4::bigint, $5::text)
    ORDER BY place, correlation_id LIMIT $6
), captions AS (
    SELECT * FROM bot_sessions.caption_times WHERE session_id = $1
)
SELECT page.place, page.correlation_id, page.source, page.segment_id, page.caption_id,
    page.speaker_id, page.speaker_name,
    page.confidence, page.method, page.kind, page.start_ns, page.end_ns, page.offset_ns, page.at,
    p.google_participant_id AS google_id,
    coalesce(heard.labels ->> 0, page.told ->> 'label') AS label,
    page.told || jsonb_strip_nulls(jsonb_build_object('labels', heard.labels,
        'speaking_events', events.told, 'captions', shown.told)) AS evidence
FROM page
LEFT JOIN bot_sessions.participants p
    ON p.session_id = $1 AND p.participant_id = page.speaker_id
LEFT JOIN LATERAL (
    SELECT jsonb_agg(label ORDER BY words DESC, label) AS labels FROM (
        SELECT word ->> 'label' AS label, count(*) AS words
        FROM jsonb_array_elements(page.words) word WHERE word ? 'label' GROUP BY 1 LIMIT $8) one
) heard ON true
LEFT JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_object('participant_id', participant_id, 'name', speaker_name,
        'start', start_ns / 1e9::float8, 'end', end_ns / 1e9::float8) ORDER BY start_ns) AS told
    FROM (
        SELECT * FROM bot_sessions.speaker_intervals i
        WHERE i.session_id = $1 AND page.method IN ('temporal', 'acoustic')
            AND bot_sessions.session_span(i.start_ns, i.end_ns)
                && int8range(page.start_ns, page.end_ns + $7)
        ORDER BY i.start_ns, i.participant_id LIMIT $8) one
) events ON page.segment_id IS NOT NULL
LEFT JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_object('participant_id', participant_id, 'text', caption_text,
        'start', start_ns / 1e9::float8, 'end', end_ns / 1e9::float8) ORDER BY start_ns) AS told
    FROM (
        SELECT * FROM captions
        WHERE page.method = 'caption_text' AND captions.participant_id = page.speaker_id
            AND captions.start_ns < page.end_ns + $7 AND captions.end_ns > page.start_ns - $7
        ORDER BY captions.start_ns LIMIT $8) one
) shown ON page.segment_id IS NOT NULL
ORDER BY page.place, page.correlation_id
"""
