"""What an actor that takes up a session finds in its journal."""

from dataclasses import replace

import pytest

from orchestration.json_types import JsonObject
from orchestration.session.events import DurableEvent
from orchestration.speakers.label_names import LabelName
from orchestration.speakers.repainting import REPAINTABLE_SEGMENTS
from orchestration.storage.journal_ports import Claim, SessionChanges
from orchestration.storage.pool import Pool
from orchestration.storage.postgres_archive import PostgresArchive
from orchestration.storage.postgres_journal import PostgresJournal
from orchestration.storage.values import (
    CorrectionRow,
    CorrelationRow,
    JournalFact,
    SampleRange,
    SessionSpec,
)
from orchestration.transcript.segments import SpeakerName
from tests.contracts.journaled_session import SESSION, claimed_journal
from tests.storage_values import (
    ANA,
    FRAME_SAMPLES,
    event,
    frame,
    losses,
    progress,
    segment,
    stream_spec,
    translation,
)


@pytest.fixture
async def journal(pool: Pool, archive: PostgresArchive) -> PostgresJournal:
    return await claimed_journal(pool, archive)


async def test_a_claim_finds_all_that_was_stored(journal: PostgresJournal) -> None:
    await journal.open_streams(SESSION, 1, [stream_spec(1)])
    await journal.append(SESSION, 1, [frame(0), frame(1)], [JournalFact(4, {})])
    await journal.end_streams(SESSION, 1, {0: 1, 1: -1}, 7)
    lost = SampleRange(20_000, 24_000, "capture_skipped")
    heard = [segment(1), segment(2, language="pt"), segment(3)]
    changes = SessionChanges(
        events=[event(1), event(2)],
        segments=heard,
        translations=[translation(1)],
        streams=[progress(16_000)],
        losses=[losses(lost)],
        status="delayed",
        status_detail="whisper is away",
        zero_unix_ms=1_700_000_000_123,
    )
    await journal.commit(SESSION, 1, changes)

    claim = await journal.claim(SESSION, "actor-2")

    assert (claim.epoch, claim.session.epoch, claim.session.actor_name) == (2, 2, "actor-2")
    assert (claim.session.status, claim.session.status_detail) == ("delayed", "whisper is away")
    assert claim.session.zero_unix_ms == 1_700_000_000_123
    assert (claim.last_event_seq, claim.next_fact, claim.last_fact) == (2, 5, 7)
    assert claim.segment_counts == {0: 3}
    # A line is never translated to the language that it is in.
    left = [(heard[1], "en"), (heard[2], "pt")]
    assert await journal.untranslated(SESSION, None, 10) == left
    ((line, target),) = await journal.untranslated(SESSION, None, 1)
    place = (line.start_ns, line.stream, line.segment_id, target)
    assert [(line, target), *await journal.untranslated(SESSION, place, 10)] == left
    first, second = claim.streams
    assert (first.next_seq, first.next_sample, first.last_seq) == (2, 2 * FRAME_SAMPLES, 1)
    assert (first.progress, first.lost) == (progress(16_000), (lost,))
    assert (second.next_seq, second.next_sample, second.last_seq) == (0, 0, -1)
    assert second.progress is None


async def test_a_claim_of_a_new_session_finds_nothing(archive: PostgresArchive, pool: Pool) -> None:
    await archive.create_session(SessionSpec("new"))
    claim = await PostgresJournal(pool).claim("new", "actor")
    assert claim == Claim(
        claim.session, 1, [], 0, 0, {}, [], repaintable=[], corrections=[], participants=[]
    )


async def test_a_claim_knows_whether_viewers_were_told_of_the_languages_that_are_stored(
    archive: PostgresArchive, pool: Pool
) -> None:
    journal, spec = PostgresJournal(pool), SessionSpec("told", target_languages=("pt", "es"))
    await archive.create_session(spec)

    async def is_untold() -> bool:
        return (await journal.claim("told", "actor")).has_untold_languages

    assert [await is_untold(), await is_untold()] == [False, False]
    changed = replace(spec, language="en", target_languages=())
    await archive.configure_session("told", lambda _: changed)
    assert await is_untold()
    told = DurableEvent(1, "session", {"language": "en", "target_languages": []})
    await journal.commit("told", 3, SessionChanges(events=[told]))
    assert not await is_untold()
    await archive.configure_session("told", lambda _: spec)
    assert await is_untold()


async def test_an_actor_finds_its_open_session_again(journal: PostgresJournal) -> None:
    assert await journal.claimed_by("actor-1") == SESSION
    await journal.claim(SESSION, "actor-2")
    assert await journal.claimed_by("actor-1") is None
    await journal.commit(SESSION, 2, SessionChanges(status="completed"))
    assert await journal.claimed_by("actor-2") is None


async def test_corrections_and_whose_voices_are_come_back_with_a_claim(
    journal: PostgresJournal, pool: Pool
) -> None:
    rows = [
        CorrectionRow(number, {"correction": "rename", "name": "Ana"}, "Bea", 2)
        for number in range(2)
    ]
    voice = CorrelationRow("voice:0:w#1", ANA, "inferred", 1_500_000_000, {"episodes": 3})
    changes = SessionChanges(corrections=rows, correlations=[voice, voice])
    assert not changes.is_empty()
    for _ in range(2):
        await journal.commit(SESSION, 1, changes)
    claim = await journal.claim(SESSION, "actor-2")
    assert list(claim.corrections) == [row.body for row in rows]
    (stored,) = await pool.fetch("SELECT * FROM bot_sessions.correlations")
    assert (stored["speaker_name"], stored["timing_offset"]) == ("Ana", 1.5)
    assert stored["correlation_metadata"] == {"episodes": 3}


async def test_final_segments_are_read_with_their_labels_and_the_newest_come_with_a_claim(
    journal: PostgresJournal,
) -> None:
    spoken = [segment(number) for number in range(REPAINTABLE_SEGMENTS + 2)]
    voiced = replace(spoken[0].words[0], label="voice:0:w#1", label_probability=0.75)
    first = replace(spoken[0], words=(voiced,))
    await journal.commit(SESSION, 1, SessionChanges(segments=[first, *spoken[1:]]))
    assert await journal.final_segments(SESSION) == [first, *spoken[1:]]
    assert list((await journal.claim(SESSION, "actor-2")).repaintable) == spoken[2:]


async def test_the_names_of_the_labels_that_are_heard_last_come_with_a_claim(
    journal: PostgresJournal,
) -> None:
    labels = ["voice:0:w#1", "voice:0:w#2", "voice:0:w#3"]
    heard = [
        replace(one, words=(replace(one.words[0], label=label),))
        for one, label in zip((segment(number) for number in range(3)), labels, strict=True)
    ]
    evidence: JsonObject = {"label": labels[0], "seconds_together": 12.5, "episodes": 3}
    ana = SpeakerName("p1", "Ana", 0.75, "acoustic")
    told = [
        CorrelationRow(labels[0], ana, "inferred", 0, evidence),
        CorrelationRow(labels[1], replace(ana, method="manual"), "exact", 0, {}),
        CorrelationRow("voice:0:w#9", replace(ana, speaker_id="p2"), "inferred", 0, {}),
    ]
    await journal.commit(SESSION, 1, SessionChanges(segments=heard, correlations=told))
    claim = await journal.claim(SESSION, "actor-2")
    assert claim.voices == {labels[0]: LabelName("p1", 0.75, 12.5, 3)}
