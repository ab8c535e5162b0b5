"""Who spoke, by what evidence, and what people said about it, as PostgreSQL has it."""

from dataclasses import replace
from typing import Any

import pytest

from orchestration.api.correlation_views import statistics_view
from orchestration.api.speaker_views import speakers_view
from orchestration.errors import BadRequest, UnknownSession
from orchestration.session.inputs import ParticipantRef
from orchestration.speakers.corrections import (
    Correction,
    MapSpeaker,
    MergeSpeakers,
    Person,
    RenameSpeaker,
    UnmapSpeaker,
    correction_json,
)
from orchestration.storage.journal_ports import SessionChanges
from orchestration.storage.pool import Pool
from orchestration.storage.speaker_ports import StoredCorrelation
from orchestration.storage.values import (
    CorrectionRow,
    CorrelationRow,
    ParticipantRow,
    SpeakerIntervalRow,
)
from orchestration.transcript.segments import TYPE_OF_METHOD, Segment, SpeakerMethod, SpeakerName
from tests.storage_values import participant, segment
from tests.timed_meeting import StoredMeeting, captions

VOICE = "voice:0:whisper#SPEAKER_01"
SECOND = 10**9


def by(
    method: SpeakerMethod, confidence: float = 1.0, who: str = "p1", name: str = "Ana"
) -> SpeakerName:
    return SpeakerName(who, name, confidence, method)


def labelled(said: Segment, label: str = VOICE) -> Segment:
    return replace(said, words=tuple(replace(word, label=label) for word in said.words))


async def correct(stored: StoredMeeting, *corrections: Correction) -> None:
    rows = [
        CorrectionRow(number, correction_json(one), "Bea", number + 1)
        for number, one in enumerate(corrections)
    ]
    await stored.commit(SessionChanges(corrections=rows))


async def correlations(stored: StoredMeeting, limit: int = 200) -> list[StoredCorrelation]:
    """The rows of all pages."""
    rows: list[StoredCorrelation] = []
    cursor = None
    while True:
        page = await stored.archive.correlations("s1", 0, 10**15, limit, cursor)
        rows += page.items
        cursor = page.next_cursor
        if cursor is None:
            return rows


async def test_speaking_time_is_that_of_the_words_and_counts_each_moment_once(
    stored: StoredMeeting,
) -> None:
    once = segment(1, speaker=by("own_stream"))
    again = replace(once, segment_id="twice", speaker=by("temporal", 0.8))
    pause = replace(
        segment(3, speaker=by("own_stream")),
        words=(segment(3).words[0], replace(segment(5).words[0], text="there")),
    )
    ben = segment(9, text="one two three", speaker=by("temporal", 0.5, "p2", "Ben"))
    lines = [once, again, replace(pause, end_ns=6 * SECOND), ben, segment(12, speaker=None)]
    await stored.commit(SessionChanges(segments=lines))
    ana_said, ben_said = (await stored.archive.speakers("s1")).spoken
    assert ana_said.speaking_ns == 4 * SECOND // 10
    assert (ana_said.segments, ana_said.words) == (3, 6)
    assert {one.method: one.segments for one in ana_said.methods} == {
        "own_stream": 2,
        "temporal": 1,
    }
    assert (ben_said.speaking_ns, ben_said.words) == (3 * SECOND // 10, 3)


async def test_everybody_is_there_with_their_names_labels_and_corrections(
    stored: StoredMeeting,
) -> None:
    spoken = [
        labelled(segment(1, speaker=by("temporal", 0.9))),
        segment(2, speaker=by("manual", 1.0, "c1", "Clara")),
    ]
    bot = ParticipantRow(ParticipantRef("b1", "Notes", None, True), None, None)
    await stored.commit(SessionChanges(segments=spoken, participants=[participant(), bot]))
    for name in ("Ana L", "Ana L", "Ana"):
        await stored.commit(SessionChanges(participants=[participant(name)]))
    await correct(
        stored,
        MapSpeaker(Person("c1", "Clara"), segment_id="segment-2"),
        MergeSpeakers("p9", "p1"),
        RenameSpeaker("p1", "Ana Lima"),
    )
    view = speakers_view("s1", await stored.archive.speakers("s1"))
    people = {one.id: one for one in view.items}
    assert set(people) == {"p1", "b1", "c1"}
    assert (people["p1"].name, people["p1"].manual) == ("Ana Lima", True)
    assert (people["p1"].joined, people["p1"].confidence) == (1.5, 0.9)
    assert [one.label for one in people["p1"].labels] == [VOICE]
    assert [one.name for one in people["p1"].names] == ["Ana", "Ana L", "Ana", "Ana Lima"]
    assert [one.by for one in people["p1"].names] == [None, None, None, "Bea"]
    assert (people["c1"].name, people["c1"].is_participant) == ("Clara", False)
    assert people["c1"].methods[0].type == "exact"
    assert (people["b1"].is_bot, people["b1"].segments, people["b1"].manual) == (True, 0, False)


async def test_whoever_is_merged_says_into_whom(stored: StoredMeeting) -> None:
    await stored.commit(
        SessionChanges(participants=[participant(), participant("Ana (phone)", "p2")])
    )
    await correct(stored, MergeSpeakers("p2", "p1"))
    view = speakers_view("s1", await stored.archive.speakers("s1"))
    merged = {one.id: (one.name, one.merged_into) for one in view.items}
    assert merged == {"p1": ("Ana", None), "p2": ("Ana (phone)", "p1")}


async def test_corrections_come_by_the_page_with_who_and_when(stored: StoredMeeting) -> None:
    await stored.commit(SessionChanges(participants=[participant()]))
    await correct(stored, *(RenameSpeaker("p1", f"Ana {number}") for number in range(3)))
    first = await stored.archive.speaker_corrections("s1", 2, None)
    rest = await stored.archive.speaker_corrections("s1", 2, first.next_cursor)
    assert rest.next_cursor is None
    told = [
        (one.number, one.body["name"], one.corrected_by, one.repainted)
        for one in [*first.items, *rest.items]
    ]
    assert told == [(0, "Ana 0", "Bea", 1), (1, "Ana 1", "Bea", 2), (2, "Ana 2", "Bea", 3)]


async def test_each_name_has_its_evidence(stored: StoredMeeting) -> None:
    own = segment(1, speaker=by("own_stream"))
    said = labelled(segment(2, speaker=by("temporal", 0.9)))
    captioned = segment(6, speaker=by("caption_text", 0.95))
    by_meet = segment(20, speaker=by("google_meet_api", 0.8))
    nobody = segment(30, speaker=None)
    entry = CorrelationRow(
        by_meet.segment_id,
        by("google_meet_api", 0.8),
        "interpolated",
        SECOND,
        {"entries": [{"text": "hello there"}]},
        by_meet,
    )
    voice = CorrelationRow(VOICE, by("acoustic", 0.9), "inferred", 0, {"label": VOICE})
    await stored.commit(
        SessionChanges(
            segments=[own, said, captioned, by_meet, nobody],
            correlations=[entry, voice],
            speaker_intervals=[SpeakerIntervalRow("p1", "Ana", 2 * SECOND, 4 * SECOND)],
            zero_unix_ms=1_700_000_000_000,
        )
    )
    await stored.tell(captions([captioned]))
    rows = await correlations(stored, limit=2)
    assert [(one.segment_id, one.method, one.kind) for one in rows] == [
        (None, "acoustic", "inferred"),
        ("segment-1", "own_stream", "exact"),
        ("segment-2", "temporal", "interpolated"),
        ("segment-6", "caption_text", "interpolated"),
        ("segment-20", "google_meet_api", "interpolated"),
    ]
    evidence: dict[str, Any] = {one.source: one.evidence for one in rows}
    assert evidence["segment-1"] == {}
    assert evidence["segment-2"] == {
        "labels": [VOICE],
        "speaking_events": [{"participant_id": "p1", "name": "Ana", "start": 2.0, "end": 4.0}],
    }
    (caption,) = evidence["segment-6"]["captions"]
    assert caption["text"] == "Hello there."
    assert evidence["segment-20"] == {"entries": [{"text": "hello there"}]}
    assert rows[4].offset_ns == SECOND
    within = await stored.archive.correlations("s1", SECOND, 3 * SECOND, 10, None)
    assert [one.source for one in within.items] == [VOICE, "segment-1", "segment-2"]


async def test_what_others_stored_is_listed_by_its_times(stored: StoredMeeting, pool: Pool) -> None:
    for name, start in (("a", 1.0), ("b", None), ("c", 8.0)):
        await pool.execute(
            "INSERT INTO bot_sessions.correlations (correlation_id, session_id, correlation_type,"
            " correlation_method, correlation_confidence, speaker_id, speaker_name,"
            " start_timestamp, end_timestamp, correlation_metadata)"
            " VALUES ($1, 's1', 'exact', 'manual', 0.75, 'p1', 'Ana', $2::float8,"
            " $2::float8 + 1, $3)",
            name,
            start,
            {"words": 3},
        )
    first = await stored.archive.correlations("s1", 0, 5 * SECOND, 1, None)
    rest = await stored.archive.correlations("s1", 0, 5 * SECOND, 1, first.next_cursor)
    assert [one.correlation_id for one in [*first.items, *rest.items]] == ["a", "b"]
    assert rest.next_cursor is None
    assert (first.items[0].confidence, first.items[0].evidence) == (0.75, {"words": 3})
    assert (first.items[0].start_ns, first.items[0].end_ns) == (SECOND, 2 * SECOND)


async def test_every_method_has_its_type(stored: StoredMeeting) -> None:
    lines = [segment(number, speaker=by(method)) for number, method in enumerate(TYPE_OF_METHOD)]
    await stored.commit(SessionChanges(segments=lines, zero_unix_ms=1_700_000_000_000))
    found = {one.method: one.kind for one in await correlations(stored)}
    assert found == TYPE_OF_METHOD


async def test_what_is_unmapped_is_no_correlation_any_more(stored: StoredMeeting) -> None:
    row = CorrelationRow(VOICE, by("manual", 1.0, "c1", "Clara"), "exact", 0, {})
    await stored.commit(SessionChanges(correlations=[row]))
    assert len(await correlations(stored)) == 1
    await correct(stored, UnmapSpeaker(speaker_id=VOICE))
    assert await correlations(stored) == []


async def test_a_name_is_one_voice_of_a_diarizer_and_leaves_the_one_that_gave_it_up(
    stored: StoredMeeting,
) -> None:
    def voice(source: str, told: SpeakerName) -> CorrelationRow:
        return CorrelationRow(source, told, "inferred", 0, {"label": source})

    ana = by("acoustic", 0.9)
    kept = [
        voice("voice:1:whisper#1", ana),
        voice("voice:0:whisper#3", by("manual")),
        voice("voice:0:whisper#4", by("acoustic", 0.9, "p2", "Ben")),
    ]
    await stored.commit(SessionChanges(correlations=[*kept, voice("voice:0:whisper#1", ana)]))
    for _ in range(2):
        await stored.commit(SessionChanges(correlations=[voice("voice:0:whisper#2", ana)]))
    named = {row.source for row in kept} | {"voice:0:whisper#2"}
    assert {row.source for row in await correlations(stored)} == named
    both = [voice("voice:0:whisper#2", ana), voice("voice:0:whisper#1", ana)]
    await stored.commit(SessionChanges(correlations=both))
    named = {row.source for row in kept} | {"voice:0:whisper#1"}
    assert {row.source for row in await correlations(stored)} == named


async def test_statistics_are_zero_and_then_count_by_method(stored: StoredMeeting) -> None:
    empty = statistics_view(await stored.archive.correlation_figures("s1"))
    assert (empty.segments, empty.coverage, empty.success_rate, empty.by_method) == (
        0,
        None,
        None,
        {},
    )
    lines = [
        segment(1, speaker=by("own_stream")),
        segment(2, speaker=by("temporal", 0.5)),
        segment(3, speaker=by("fallback", 0.5, VOICE, "Speaker B")),
        segment(4, speaker=None),
    ]
    await stored.commit(SessionChanges(segments=lines))
    figures = statistics_view(await stored.archive.correlation_figures("s1"))
    assert (figures.segments, figures.named_segments) == (4, 3)
    assert (figures.coverage, figures.identified) == (0.75, 0.5)
    assert (figures.mean_confidence, figures.success_rate) == (0.6667, 0.25)
    assert {method: one.segments for method, one in figures.by_method.items()} == {
        "own_stream": 1,
        "temporal": 1,
        "fallback": 1,
    }


async def test_a_session_that_is_not_there_has_no_speakers(stored: StoredMeeting) -> None:
    archive = stored.archive
    for asked in (
        archive.speakers("s2"),
        archive.speaker_corrections("s2", 1, None),
        archive.correlations("s2", 0, 1, 1, None),
        archive.correlation_figures("s2"),
    ):
        with pytest.raises(UnknownSession):
            await asked
    with pytest.raises(BadRequest):
        await archive.correlations("s1", 0, 1, 1, "nonsense")
