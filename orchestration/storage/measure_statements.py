"""SQL: how far each source is off the session's clock.

Each row of a source is paired with every row it may belong to, up to some seconds away. The offset
on which most pairs agree is the source's own; the rest are of other rows. So rows that are missing
on one side cost pairs and move nothing. Pairs are, of

- speaking intervals: the starts of an interval and of a line; in a participant's own stream, of
  theirs only;
- captions: the start of a caption and that of the words it begins with, three in a row;
- correlations: the starts of a correlation and of its line;
- audio: the sender's stamp of a sample and the sample's place on the timeline.
"""

CAPTION_WORDS = 3
"""Fewer words in a row are said too often to say when."""

PUNCTUATION = " .,;:!?-\"'()[]\u2026\u2013\u2014\u00ab\u00bb\u201c\u201d\u2018\u2019\u00bf\u00a1"
"""What stands around words in one text and not in the other."""

PAIRS = """
lines AS NOT MATERIALIZED (
    SELECT transcript_id, stream, start_ns, speaker_id, speaker_method, words
    FROM bot_sessions.transcripts WHERE session_id = $1 AND source_type <> 'google_meet'
), told AS MATERIALIZED (
    SELECT caption_id, caption_text, start_ns, end_ns
    FROM bot_sessions.caption_times WHERE session_id = $1
), phrases AS MATERIALIZED (
    SELECT c.caption_id, c.start_ns,
        string_agg(c.word, ' ' ORDER BY c.place) AS phrase
    FROM (
        SELECT c.caption_id, c.start_ns, btrim(w.word, $10) AS word,
            row_number() OVER (PARTITION BY c.caption_id ORDER BY w.place) AS place
        FROM told c
        CROSS JOIN LATERAL string_to_table(lower(c.caption_text), ' ')
            WITH ORDINALITY AS w (word, place)
        WHERE c.start_ns IS NOT NULL AND btrim(w.word, $10) <> ''
            AND bot_sessions.session_span(c.start_ns, greatest(c.start_ns, c.end_ns))
                && int8range($2::bigint + $5::bigint, $3::bigint + $5)
    ) c
    WHERE c.place <= $11 GROUP BY c.caption_id, c.start_ns HAVING count(*) = $11
), spoken AS (
    SELECT start_ns, concat_ws(' ', word, lead(word, 1) OVER line, lead(word, 2) OVER line)
        AS phrase
    FROM (
        SELECT stream, (said ->> 'start_ns')::bigint AS start_ns,
            (said ->> 'end_ns')::bigint AS end_ns, btrim(lower(said ->> 'text'), $10) AS word
        FROM (SELECT stream, jsonb_array_elements(words) AS said FROM lines) words
        WHERE EXISTS (SELECT FROM phrases)
    ) words
    WHERE word <> ''
    WINDOW line AS (PARTITION BY stream ORDER BY start_ns, end_ns)
), pairs AS (
    SELECT 'speaker_intervals' AS source, i.participant_id || ':' || i.start_ns AS row_id,
        l.transcript_id AS other_id, i.start_ns - l.start_ns AS apart_ns
    FROM bot_sessions.speaker_intervals i
    JOIN lines l ON l.start_ns BETWEEN i.start_ns - $7 AND i.start_ns + $7
        AND (l.speaker_method IS DISTINCT FROM 'own_stream' OR l.speaker_id = i.participant_id)
    LEFT JOIN bot_sessions.participants p
        ON p.session_id = i.session_id AND p.participant_id = i.participant_id
    WHERE i.session_id = $1 AND p.is_bot IS NOT TRUE
        AND bot_sessions.session_span(i.start_ns, i.end_ns) && int8range($2 + $4, $3 + $4)
    UNION ALL
    SELECT 'captions', c.caption_id, s.start_ns::text, c.start_ns - s.start_ns
    FROM phrases c JOIN spoken s USING (phrase)
    WHERE s.start_ns BETWEEN c.start_ns - $7 AND c.start_ns + $7
    UNION ALL
    SELECT 'correlations', c.correlation_id, l.transcript_id, c.start_ns - l.start_ns
    FROM (
        SELECT correlation_id, inhouse_transcript_id,
            bot_sessions.bounded_ns(round((start_timestamp * 1e9)::numeric)) AS start_ns
        FROM bot_sessions.correlations WHERE session_id = $1
    ) c
    JOIN lines l ON l.transcript_id = c.inhouse_transcript_id
        AND l.start_ns BETWEEN c.start_ns - $7 AND c.start_ns + $7
    WHERE c.start_ns >= $2 + $6 AND c.start_ns < $3 + $6
    UNION ALL
    SELECT 'audio', stamp.fact::text, stamp.fact::text, stamp.told_ns - stamp.placed_ns
    FROM (
        SELECT f.fact,
            bot_sessions.bounded_ns(
                ((f.body ->> 'unix_ms')::numeric - s.zero_unix_ms) * 1000000) AS told_ns,
            bot_sessions.bounded_ns(st.offset_ns
                + div((f.body ->> 'sample')::numeric * 1000000000, st.sample_rate)) AS placed_ns
        FROM bot_sessions.facts f
        JOIN bot_sessions.sessions s USING (session_id)
        JOIN bot_sessions.streams st
            ON st.session_id = f.session_id AND st.stream = (f.body ->> 'stream')::integer
        WHERE f.session_id = $1 AND f.body ->> 'type' = 'clock'
    ) stamp
    WHERE stamp.placed_ns >= $2 AND stamp.placed_ns < $3
        AND abs(stamp.told_ns - stamp.placed_ns) <= $7
)"""

# $1 session, $2 and $3 the window; corrections in ns: $4 speaking intervals, $5 captions, $6
# correlations; $7 how far pairs may be apart and $8 how near to agree, in ns; $9 the limits of the
# accuracy bands in ns, $10 punctuation, $11 words of a phrase.
MEASURES = f"""
WITH {PAIRS}, votes AS (
    SELECT *, count(*) OVER (PARTITION BY source ORDER BY apart_ns
        RANGE BETWEEN $8::bigint PRECEDING AND $8::bigint FOLLOWING) AS votes
    FROM pairs
), peaks AS (
    SELECT DISTINCT ON (source) source, apart_ns AS peak_ns
    FROM votes ORDER BY source, votes DESC, abs(apart_ns)
), centres AS (
    SELECT source, percentile_disc(0.5) WITHIN GROUP (ORDER BY apart_ns) AS centre_ns
    FROM votes JOIN peaks USING (source)
    WHERE abs(apart_ns - peak_ns) <= $8 GROUP BY source
), matches AS (
    SELECT DISTINCT ON (source, row_id) source, apart_ns,
        abs(apart_ns - CASE source WHEN 'speaker_intervals' THEN $4 WHEN 'captions' THEN $5
            WHEN 'correlations' THEN $6 ELSE 0 END) AS left_ns
    FROM votes JOIN centres USING (source)
    WHERE abs(apart_ns - centre_ns) <= $8
    ORDER BY source, row_id, abs(apart_ns - centre_ns)
), offsets AS (
    SELECT source, count(*) AS matched,
        percentile_disc(0.5) WITHIN GROUP (ORDER BY apart_ns) AS offset_ns
    FROM matches GROUP BY source
), counted AS (
    SELECT source, count(*) AS pairs,
        least(count(DISTINCT row_id), count(DISTINCT other_id)) AS shorter
    FROM pairs GROUP BY source
)
SELECT source, pairs, shorter, matched, offset_ns,
    percentile_disc(0.5) WITHIN GROUP (ORDER BY abs(apart_ns - offset_ns)) AS spread_ns,
    array_agg(width_bucket(left_ns, $9::bigint[])) AS bands
FROM matches JOIN offsets USING (source) JOIN counted USING (source)
GROUP BY source, pairs, shorter, matched, offset_ns ORDER BY source
"""
"""`bands` has each agreeing pair's accuracy band, 0 for the best."""
