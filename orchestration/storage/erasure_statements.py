"""SQL: erasing sessions and people.

A person's statements take $1 the session, $2 the ids they have in it, $3 what each is replaced by,
$4 the name that stands for theirs, and $5 ids of lines or numbers of streams, where they need it.
"""

BEGIN_ERASURE = """
INSERT INTO bot_sessions.erasures (kind, sessions, rows_by_table, files, bytes)
VALUES ($1, 0, '{}', 0, 0) RETURNING erasure_id
"""

ADD_TO_ERASURE = """
UPDATE bot_sessions.erasures e SET
    sessions = sessions + $2, files = files + $3, bytes = bytes + $4, erased_at = now(),
    rows_by_table = (
        SELECT coalesce(jsonb_object_agg(name, rows), '{}') FROM (
            SELECT name, sum(count::bigint) AS rows FROM (
                SELECT * FROM jsonb_each_text(e.rows_by_table)
                UNION ALL SELECT * FROM jsonb_each_text($5)
            ) AS both_of (name, count) GROUP BY name
        ) summed
    )
WHERE erasure_id = $1
"""

RECEIPT_COLUMNS = "erasure_id, kind, sessions, rows_by_table, files, bytes, erased_at"

RECEIPT = f"SELECT {RECEIPT_COLUMNS} FROM bot_sessions.erasures WHERE erasure_id = $1"

RECEIPTS = f"""
SELECT {RECEIPT_COLUMNS} FROM bot_sessions.erasures
WHERE $2::bigint IS NULL OR erasure_id < $2 ORDER BY erasure_id DESC LIMIT $1
"""

EXPIRED_SESSIONS = """
SELECT session_id FROM bot_sessions.sessions
WHERE end_time < $1 AND status IN ('completed', 'failed') ORDER BY end_time LIMIT $2
"""

SESSIONS_AFTER = """
SELECT session_id, status FROM bot_sessions.sessions
WHERE session_id > $1 ORDER BY session_id LIMIT $2
"""

# Whoever is known by any table is known; an email is in three of them alone. A name may be stored
# with its accents apart from its letters.
PERSON_IN_SESSIONS = """
WITH known (session_id, participant_id, email, name) AS (
    SELECT session_id, participant_id, email, display_name FROM bot_sessions.participants
    WHERE session_id = ANY ($1)
    UNION ALL SELECT session_id, participant_id, NULL, name
    FROM bot_sessions.participant_names WHERE session_id = ANY ($1)
    UNION ALL SELECT session_id, participant_id, participant_email, participant_name
    FROM bot_sessions.streams WHERE session_id = ANY ($1)
    UNION ALL SELECT session_id, participant_id, NULL, speaker_name
    FROM bot_sessions.speaker_intervals WHERE session_id = ANY ($1)
    UNION ALL SELECT session_id, speaker_id, NULL, speaker_name
    FROM bot_sessions.transcripts WHERE session_id = ANY ($1)
    UNION ALL SELECT session_id, body ->> 'participant_id', NULL, body ->> 'name'
    FROM bot_sessions.facts WHERE session_id = ANY ($1) AND body ? 'participant_id'
    UNION ALL SELECT session_id, body #>> '{participant,id}', body #>> '{participant,email}',
        body #>> '{participant,name}'
    FROM bot_sessions.facts WHERE session_id = ANY ($1) AND body ? 'participant'
    UNION ALL SELECT session_id, body #>> '{person,id}', NULL, body #>> '{person,name}'
    FROM bot_sessions.speaker_corrections WHERE session_id = ANY ($1) AND body ? 'person'
    UNION ALL SELECT session_id, body ->> 'speaker_id', NULL, body ->> 'name'
    FROM bot_sessions.speaker_corrections WHERE session_id = ANY ($1) AND body ? 'name'
), theirs AS (
    SELECT session_id, array_agg(DISTINCT participant_id) AS participant_ids FROM known
    WHERE participant_id = $2 OR lower(email) = lower($3)
        OR lower(normalize(name)) = lower(normalize($4))
    GROUP BY session_id
)
SELECT t.session_id, t.participant_ids, coalesce(own.streams, '{}') AS own_streams
FROM theirs t
CROSS JOIN LATERAL (
    SELECT array_agg(s.stream ORDER BY s.stream) AS streams FROM bot_sessions.streams s
    WHERE s.session_id = t.session_id AND s.participant_id = ANY (t.participant_ids)
) own
ORDER BY t.session_id
"""

# Also who is about to write: their epoch is not the session's any more.
SHUT_OUT = """
UPDATE bot_sessions.sessions SET epoch = epoch + 1, updated_at = now() WHERE session_id = $1
"""

LINES_OF_PERSON = """
SELECT transcript_id FROM bot_sessions.transcripts
WHERE session_id = $1 AND (speaker_id = ANY ($2) OR stream = ANY ($3))
"""

_ERASED = "unnest($2::text[], $3::text[]) AS erased (id, replaced)"

TRANSLATIONS = """
UPDATE bot_sessions.translations SET translated_text = '', processing_metadata = '{}',
    updated_at = now()
WHERE session_id = $1 AND source_transcript_id = ANY ($2)
"""

LINES = """
UPDATE bot_sessions.transcripts SET transcript_text = '', words = '[]',
    processing_metadata = '{}', google_transcript_entry_id = NULL, updated_at = now()
WHERE session_id = $1 AND transcript_id = ANY ($2)
"""

LINE_SPEAKERS = f"""
UPDATE bot_sessions.transcripts t SET speaker_id = erased.replaced, speaker_name = $4
FROM {_ERASED} WHERE t.session_id = $1 AND t.speaker_id = erased.id
"""

PARTICIPANTS = f"""
UPDATE bot_sessions.participants p SET participant_id = erased.replaced, display_name = $4,
    email = NULL, google_participant_id = NULL, participant_metadata = '{{}}', updated_at = now()
FROM {_ERASED} WHERE p.session_id = $1 AND p.participant_id = erased.id
"""

PARTICIPANT_NAMES = f"""
UPDATE bot_sessions.participant_names n SET participant_id = erased.replaced, name = $4
FROM {_ERASED} WHERE n.session_id = $1 AND n.participant_id = erased.id
"""

SPEAKER_INTERVALS = f"""
UPDATE bot_sessions.speaker_intervals i SET participant_id = erased.replaced, speaker_name = $4
FROM {_ERASED} WHERE i.session_id = $1 AND i.participant_id = erased.id
"""

STREAMS = f"""
UPDATE bot_sessions.streams s SET participant_id = erased.replaced, participant_name = $4,
    participant_email = NULL
FROM {_ERASED} WHERE s.session_id = $1 AND s.participant_id = erased.id
"""

CORRELATIONS = f"""
UPDATE bot_sessions.correlations c SET
    speaker_id = coalesce(of_speaker.replaced, c.speaker_id),
    speaker_name = CASE WHEN of_speaker.id IS NULL THEN c.speaker_name ELSE $4 END,
    correlation_id = CASE WHEN of_source.id IS NULL THEN c.correlation_id
        ELSE c.session_id || ':' || of_source.replaced END,
    correlation_metadata = '{{}}'
FROM bot_sessions.correlations old
LEFT JOIN {_ERASED.replace("erased (", "of_speaker (")} ON of_speaker.id = old.speaker_id
LEFT JOIN {_ERASED.replace("erased (", "of_source (")}
    ON old.correlation_id = old.session_id || ':' || of_source.id
WHERE old.session_id = $1 AND c.correlation_id = old.correlation_id
    AND (of_speaker.id IS NOT NULL OR of_source.id IS NOT NULL)
"""

# What tells whose a line is may quote them: of their own lines, and of lines near theirs.
EVIDENCE = """
UPDATE bot_sessions.correlations SET correlation_metadata = '{}'
WHERE session_id = $1 AND correlation_metadata <> '{}' AND (inhouse_transcript_id = ANY ($3)
    OR EXISTS (SELECT 1 FROM jsonb_path_query(correlation_metadata,
        '$.entries[*].participant_id') quoted WHERE quoted #>> '{}' = ANY ($2)))
"""

FACTS = f"""
UPDATE bot_sessions.facts f SET body = CASE WHEN f.body ? 'participant'
    THEN f.body || jsonb_build_object('participant', jsonb_build_object(
        'id', erased.replaced, 'name', $4::text,
        'is_bot', coalesce(f.body #> '{{participant,is_bot}}', 'false')))
    ELSE f.body || jsonb_build_object('participant_id', erased.replaced, 'name', $4::text)
        || CASE WHEN f.body ? 'text' THEN '{{"text": ""}}'::jsonb ELSE '{{}}'::jsonb END END
FROM {_ERASED}
WHERE f.session_id = $1
    AND coalesce(f.body ->> 'participant_id', f.body #>> '{{participant,id}}') = erased.id
"""

# A line's earlier revisions may have had other speakers: what it said goes from all of them, and
# so does every line that had this speaker once.
SEGMENT_EVENTS = f"""
UPDATE bot_sessions.events e SET event_data = jsonb_set(e.event_data, '{{segment}}',
    e.event_data -> 'segment' || '{{"text": "", "words": [], "translations": {{}}}}'::jsonb
    || CASE WHEN erased.id IS NULL THEN '{{}}'::jsonb ELSE jsonb_build_object('speaker',
        e.event_data #> '{{segment,speaker}}'
        || jsonb_build_object('id', erased.replaced, 'name', $4::text)) END)
FROM bot_sessions.events old LEFT JOIN {_ERASED}
    ON old.event_data #>> '{{segment,speaker,id}}' = erased.id
WHERE e.session_id = $1 AND old.session_id = $1 AND e.seq = old.seq AND old.event_type = 'segment'
    AND (erased.id IS NOT NULL OR old.event_data #>> '{{segment,segment_id}}' = ANY ($5::text[]))
"""

TRANSLATION_EVENTS = """
UPDATE bot_sessions.events SET event_data = event_data || '{"text": ""}'
WHERE session_id = $1 AND event_type = 'translation' AND event_data ->> 'segment_id' = ANY ($2)
"""

PARTICIPANT_EVENTS = f"""
UPDATE bot_sessions.events e SET event_data = jsonb_set(e.event_data, '{{participant}}',
    e.event_data -> 'participant'
    || jsonb_build_object('id', erased.replaced, 'name', $4::text, 'email', NULL))
FROM {_ERASED}
WHERE e.session_id = $1 AND e.event_type = 'participant'
    AND e.event_data #>> '{{participant,id}}' = erased.id
"""

SPEAKER_EVENTS = f"""
UPDATE bot_sessions.events e SET event_data = jsonb_set(e.event_data, '{{speaker}}',
    e.event_data -> 'speaker' || jsonb_build_object('id', erased.replaced, 'name', $4::text))
FROM {_ERASED}
WHERE e.session_id = $1 AND e.event_type = 'speaker'
    AND e.event_data #>> '{{speaker,id}}' = erased.id
"""

# A correction by hand names up to three ids and two names.
CORRECTIONS = f"""
UPDATE bot_sessions.speaker_corrections c SET body = old.body
    || CASE WHEN speaker.id IS NULL THEN '{{}}'::jsonb
        ELSE jsonb_build_object('speaker_id', speaker.replaced)
        || CASE WHEN old.body ? 'name' THEN jsonb_build_object('name', $4::text)
            ELSE '{{}}'::jsonb END END
    || CASE WHEN merged.id IS NULL THEN '{{}}'::jsonb
        ELSE jsonb_build_object('into_id', merged.replaced) END
    || CASE WHEN person.id IS NULL THEN '{{}}'::jsonb
        ELSE jsonb_build_object('person', jsonb_build_object('id', person.replaced,
            'name', $4::text)) END
FROM bot_sessions.speaker_corrections old
LEFT JOIN {_ERASED.replace("erased (", "speaker (")} ON speaker.id = old.body ->> 'speaker_id'
LEFT JOIN {_ERASED.replace("erased (", "merged (")} ON merged.id = old.body ->> 'into_id'
LEFT JOIN {_ERASED.replace("erased (", "person (")} ON person.id = old.body #>> '{{person,id}}'
WHERE c.session_id = $1 AND old.session_id = $1 AND c.correction = old.correction
    AND (speaker.id IS NOT NULL OR merged.id IS NOT NULL OR person.id IS NOT NULL)
"""

# Meet's own transcript, still to come, would bring words and names back.
MEETINGS = """
UPDATE bot_sessions.google_meet_conferences SET phase = 'given_up', detail = 'erased',
    updated_at = now()
WHERE session_id = $1 AND phase IN ('following', 'awaiting')
"""

AUDIO_FILES = "DELETE FROM bot_sessions.audio_files WHERE session_id = $1 AND stream = ANY ($2)"
AUDIO_JOURNAL = "DELETE FROM bot_sessions.audio_journal WHERE session_id = $1 AND stream = ANY ($2)"
STREAMS_OF_SESSION = "SELECT stream FROM bot_sessions.streams WHERE session_id = $1"
