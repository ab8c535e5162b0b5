"""SQL: search over what was said in all sessions.

Words of a line are reduced to their stems by the rules of its language, so a query has as many
forms as there are languages: each form looks only at lines of its own, by the same GIN index. See
https://www.postgresql.org/docs/current/textsearch-controls.html for the syntax of queries, ranks
and headlines.
"""

from orchestration.storage.data_ports import MATCH_END, MATCH_START

_STARTS_AT = """(coalesce(s.start_time, s.created_at)
    + t.start_ns / 1000 * interval '1 microsecond')"""

# OFFSET 0 keeps what is inside apart: joined by their languages first, lines would be read one and
# all, and compared with the query one by one.
_MATCHING = f"""
    SELECT s.session_id, s.meeting_title, '{{kind}}' AS kind, t.transcript_id,
        found.language_code, t.start_ns, t.end_ns, {_STARTS_AT} AS starts_at, t.speaker_id,
        t.speaker_name, found.text, form.configuration, form.query,
        (ts_rank_cd(found.search, form.query, 32) * 1000000)::bigint AS rank
    FROM forms form
    CROSS JOIN LATERAL (
        SELECT session_id, {{line}} AS transcript_id, {{language}} AS language_code,
            {{text}} AS text, search
        FROM bot_sessions.{{table}}
        WHERE search @@ form.query AND ($2::text IS NULL OR {{language}} = $2)
            AND ($3::text IS NULL OR session_id = $3) OFFSET 0
    ) found
    JOIN bot_sessions.transcripts t
        ON t.session_id = found.session_id AND t.transcript_id = found.transcript_id
    JOIN bot_sessions.sessions s ON s.session_id = t.session_id
    WHERE bot_sessions.search_configuration(found.language_code) = form.configuration
        AND ($4::text IS NULL OR t.speaker_id = $4 OR lower(t.speaker_name) = lower($4))
        AND ($5::timestamptz IS NULL OR {_STARTS_AT} >= $5)
        AND ($6::timestamptz IS NULL OR {_STARTS_AT} < $6)"""

_TRANSCRIPTS = _MATCHING.format(
    kind="transcript",
    table="transcripts",
    line="transcript_id",
    language="language_code",
    text="transcript_text",
)
_TRANSLATIONS = _MATCHING.format(
    kind="translation",
    table="translations",
    line="source_transcript_id",
    language="target_language",
    text="translated_text",
)

# Headlines are made of the page's lines alone: they need the text again, and are slow. Rows of
# one rank are in order of session, line and language.
SEARCH = f"""
WITH forms AS MATERIALIZED (
    SELECT configuration, websearch_to_tsquery(configuration, $1) AS query
    FROM (SELECT DISTINCT bot_sessions.search_configuration(code) AS configuration
        FROM unnest($7::text[]) code) known
), matching AS ({_TRANSCRIPTS}
    UNION ALL {_TRANSLATIONS}
), page AS (
    SELECT * FROM matching
    WHERE $8::bigint IS NULL
        OR (-rank, session_id, transcript_id, language_code, kind) > (-$8, $9, $10, $11, $12)
    ORDER BY -rank, session_id, transcript_id, language_code, kind LIMIT $13
)
SELECT *, ts_headline(configuration, translate(text, '{MATCH_START}{MATCH_END}', ''), query,
    'StartSel={MATCH_START}, StopSel={MATCH_END}, MaxWords=30, MinWords=12') AS snippet
FROM page ORDER BY -rank, session_id, transcript_id, language_code, kind
"""

STEMMED_LANGUAGES = (
    *("ar", "hy", "eu", "ca", "da", "nl", "en", "fi", "fr", "de", "el", "hi", "hu", "id", "ga"),
    *("it", "lt", "ne", "no", "pt", "ro", "ru", "sr", "es", "sv", "ta", "tr", "yi"),
)
"""One language for each set of rules in the function `search_configuration`."""
UNSTEMMED = ""
"""No language's code: its rules are those for all languages without rules."""
