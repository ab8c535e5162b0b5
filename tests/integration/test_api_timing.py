"""A session's timeline and its corrections, by HTTP over the doubles."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from orchestration.storage.timing_ports import RelatedRow, TimedRow
from orchestration.timing.alignment import Source
from tests.doubles.api_server import ApiServer, api_server

MS = 10**6
SECOND = 10**9
PATH = "/api/audio/timing"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ApiServer]:
    """Session s1: lines and captions in seconds 1 to 3, the captions 150 ms late."""
    async with api_server(tmp_path) as running:
        await running.session("s1")
        stored = running.archive.timing_of("s1")
        for second in (1, 2, 3):
            start_ns, end_ns = second * SECOND, second * SECOND + SECOND // 2
            late = (start_ns + 150 * MS, end_ns + 150 * MS)
            caption = RelatedRow(Source.CAPTIONS, f"fact-{second}", *late, None)
            twin = RelatedRow(Source.SPEAKER_INTERVALS, f"p1:{start_ns}", start_ns, end_ns, None)
            line = TimedRow(
                Source.TRANSCRIPTS,
                f"t{second}",
                start_ns,
                end_ns,
                0,
                text="hello",
                related=(caption, twin),
            )
            stored.rows += [line, TimedRow(Source.CAPTIONS, f"fact-{second}", *late, 0)]
        stored.offsets_ns[Source.CAPTIONS] = 150 * MS
        yield running


async def get(server: ApiServer, query: str = "session_id=s1") -> Any:
    status, body = await server.json("GET", f"{PATH}?{query}")
    assert status == 200
    return body


async def realign(server: ApiServer, **fields: Any) -> Any:
    status, body = await server.json("POST", PATH, json={"session_id": "s1"} | fields)
    assert status == 200
    return body


async def test_a_timeline_says_what_was_asked_and_how_well_it_agrees(server: ApiServer) -> None:
    timing = await get(server, "session_id=s1&from=0.5&to=2.9&tolerance=0.05")
    assert timing["time_range"] == {"start": 0.5, "end": 2.9}
    assert timing["tolerance"] == 0.05
    assert [one["id"] for one in timing["items"]] == ["t1", "fact-1", "t2", "fact-2"]
    assert timing["synchronization_quality"] == 0.7
    assert timing["time_drift"] == {"captions": 0.15}
    assert timing["drift_detected"] is True
    captions = next(one for one in timing["sources"] if one["source"] == "captions")
    assert (captions["timing_offset"], captions["accuracy"]) == (0.15, "medium")
    assert captions["moves"] is True


async def test_a_window_without_an_end_is_told_as_one(server: ApiServer) -> None:
    assert (await get(server))["time_range"] == {"start": 0, "end": None}


async def test_rows_of_the_same_time_are_surer_than_those_beside(server: ApiServer) -> None:
    line = (await get(server))["items"][0]
    by_source = {one["source"]: one for one in line["timing_correlations"]}
    assert by_source["speaker_intervals"]["confidence"] == 1.0
    assert by_source["speaker_intervals"]["accuracy"] == "exact"
    assert 0 < by_source["captions"]["confidence"] < 1
    assert by_source["captions"]["overlap"] == 0.35
    assert by_source["captions"]["timing_offset"] == 0.15


async def test_150_ms_are_a_correction_of_0_15_s_and_later_answers_have_it(
    server: ApiServer,
) -> None:
    done = await realign(server, by="Bea")
    assert (done["status"], done["corrections_applied"]) == ("aligned", 1)
    assert (done["quality_before"], done["quality_after"]) == (0.7, 1.0)
    correction = done["corrections"][0]
    assert (correction["source"], correction["offset"]) == ("captions", 0.15)
    assert (correction["by"], correction["matched"]) == ("Bea", 10)
    assert "0.150 s late" in correction["reason"]

    timing = await get(server)
    assert timing["corrections"] == [correction]
    assert timing["synchronization_quality"] == 1.0
    assert timing["drift_detected"] is False
    items = {one["id"]: one for one in timing["items"]}
    assert (items["fact-1"]["start"], items["fact-1"]["correction"]) == (1.0, 0.15)
    assert (items["t1"]["start"], items["t1"]["correction"]) == (1.0, 0.0)


async def test_what_is_good_already_is_skipped(server: ApiServer) -> None:
    await realign(server)
    again = await realign(server)
    assert (again["status"], again["corrections_applied"]) == ("skipped", 0)
    assert again["quality_before"] == again["quality_after"] == 1.0
    assert again["left"]["captions"] == "good enough"
    assert len((await get(server))["corrections"]) == 1


async def test_good_quality_is_made_better_only_by_force(server: ApiServer) -> None:
    offsets_ns = server.archive.timing_of("s1").offsets_ns
    offsets_ns.update({Source.CAPTIONS: 9 * MS, Source.SPEAKER_INTERVALS: 40 * MS})
    assert (await realign(server, tolerance=0.02))["status"] == "skipped"
    forced = await realign(server, tolerance=0.02, force=True)
    assert [one["source"] for one in forced["corrections"]] == ["speaker_intervals"]


async def test_an_offset_below_the_tolerance_stays(server: ApiServer) -> None:
    assert (await realign(server, tolerance=0.2))["status"] == "skipped"


async def test_only_sources_that_were_asked_for_move(server: ApiServer) -> None:
    done = await realign(server, sources=["correlations"])
    assert (done["status"], done["left"]["captions"]) == ("skipped", "not asked for")


async def test_final_words_and_audio_never_move(server: ApiServer) -> None:
    server.archive.timing_of("s1").offsets_ns = {Source.AUDIO: 400 * MS}
    assert (await realign(server))["status"] == "skipped"
    status, _ = await server.json(
        "POST", PATH, json={"session_id": "s1", "sources": ["transcripts"]}
    )
    assert status == 422


async def test_sources_are_chosen_and_rows_come_by_the_page(server: ApiServer) -> None:
    first = await get(server, "session_id=s1&sources=transcripts&limit=2")
    rest = await get(
        server, f"session_id=s1&sources=transcripts&limit=2&cursor={first['next_cursor']}"
    )
    assert [one["id"] for one in first["items"] + rest["items"]] == ["t1", "t2", "t3"]
    assert rest["next_cursor"] is None
    assert [one["source"] for one in first["sources"]] == ["transcripts"]


async def test_statistics_are_zero_and_then_say_what_was_corrected(server: ApiServer) -> None:
    nothing = await get(server, "")
    assert (nothing["sessions_corrected"], nothing["corrections_applied"]) == (0, 0)
    await realign(server)
    figures = await get(server, "")
    assert (figures["sessions_corrected"], figures["corrections_applied"]) == (1, 1)
    assert figures["corrections_by_source"] == {"captions": 1}


async def test_an_empty_session_has_nothing_to_compare(server: ApiServer) -> None:
    await server.session("s2")
    timing = await get(server, "session_id=s2")
    assert (timing["items"], timing["corrections"], timing["time_drift"]) == ([], [], {})
    assert timing["synchronization_quality"] is None
    done = await realign(server, session_id="s2")
    assert done["status"] == "skipped"
    assert set(done["left"].values()) == {"no row has a counterpart"}


async def test_an_unknown_session_is_not_found(server: ApiServer) -> None:
    assert (await server.json("GET", f"{PATH}?session_id=nobody"))[0] == 404
    assert (await server.json("POST", PATH, json={"session_id": "nobody"}))[0] == 404


@pytest.mark.parametrize(
    "query",
    ["from=3&to=3", "from=4&to=3", "from=-1", "to=nan", "tolerance=9", "sources=x", "limit=0"],
)
async def test_a_window_that_is_none_is_refused(server: ApiServer, query: str) -> None:
    status, problem = await server.json("GET", f"{PATH}?session_id=s1&{query}")
    assert status == 422
    assert problem["code"] == "invalid_request"


@pytest.mark.parametrize("fields", [{"tolerance": 0}, {"tolerance": 9}, {"by": ""}])
async def test_a_realignment_that_is_not_as_documented_is_refused(
    server: ApiServer, fields: dict[str, Any]
) -> None:
    status, _ = await server.json("POST", PATH, json={"session_id": "s1"} | fields)
    assert status == 422
