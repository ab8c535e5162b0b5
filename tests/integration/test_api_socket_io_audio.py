"""Audio and speakers by Socket.IO."""

import base64
from typing import Any

import pytest

from orchestration.session.inputs import ParticipantRef, SampleMoment, SpeakerFact, UnixMoment
from tests.doubles.api_server import ApiServer
from tests.socket_io_client import connected

PCM = bytes(range(200)) * 16
SAMPLES = len(PCM) // 2


def coded(pcm: bytes) -> str:
    return base64.b64encode(pcm).decode()


def payloads(server: ApiServer, stream: int = 0) -> list[bytes]:
    return [frame.payload for frame in server.archive.of("s1").frames[stream]]


async def test_audio_is_durable_before_it_is_answered_and_stored_once(server: ApiServer) -> None:
    await server.session("s1")
    async with connected(server) as client:
        chunk = {"session_id": "s1", "sequence": 0, "audio_data": coded(PCM)}
        ack = await client.io.call("transcription_stream", chunk)
        assert payloads(server) == [PCM]
        again = await client.io.call("transcription_stream", chunk)
        ahead = await client.io.call("transcription_stream", {**chunk, "sequence": 5})
        other = await client.io.call("transcription_stream", {**chunk, "audio_data": coded(b"ab")})
        event = await client.next("transcription_received")

    assert event == ack
    assert {
        "session_id": "s1",
        "status": "stored",
        "stream": 0,
        "sequence": 0,
        "first_sample": 0,
        "next_sequence": 1,
        "next_sample": SAMPLES,
    }.items() <= ack.items()
    assert again["status"] == "repeated"
    assert (ahead["status"], ahead["code"]) == ("error", "chunk_out_of_order")
    assert ahead["expected"] == 1
    assert other["code"] == "frame_conflict"
    assert payloads(server) == [PCM]


async def test_audio_goes_into_the_joined_session_one_chunk_behind_the_other(
    server: ApiServer,
) -> None:
    await server.session("s1")
    async with connected(server) as client:
        nowhere = await client.io.call("transcription_stream", {"audio_data": coded(PCM)})
        await client.message(type="join_session", session_id="s1")
        acks = [
            await client.io.call("transcription_stream", {"audio_data": audio})
            for audio in (coded(PCM), PCM, coded(PCM))
        ]

    assert nowhere["code"] == "bad_request"
    assert [ack["sequence"] for ack in acks] == [0, 1, 2]
    assert acks[2]["first_sample"] == 2 * SAMPLES
    assert payloads(server) == [PCM, PCM, PCM]


async def test_who_speaks_becomes_facts_of_the_session(server: ApiServer) -> None:
    session = await server.session("s1")
    ana = {"participant_id": "ana", "name": "Ana"}
    async with connected(server) as client:
        await client.message(type="join_session", session_id="s1")
        started = await client.io.call(
            "speaker_stream", {**ana, "event": "start", "stream": 0, "sample": 16_000}
        )
        stopped = await client.io.call(
            "speaker_stream", {**ana, "event": "stop", "unix_ms": 1_700_000_000_000, "fact": 1}
        )
        again = await client.io.call(
            "speaker_stream", {**ana, "event": "stop", "unix_ms": 1_700_000_000_000, "fact": 1}
        )
        skipped = await client.io.call(
            "speaker_stream", {**ana, "event": "stop", "unix_ms": 1_700_000_000_000, "fact": 9}
        )
        event = await client.next("speaker_received")

    assert event == started
    assert (started["status"], started["fact"], started["next_fact"]) == ("stored", 0, 1)
    assert (stopped["status"], again["status"]) == ("stored", "repeated")
    assert (skipped["code"], skipped["expected"]) == ("bad_request", 2)
    assert session.facts == [
        SpeakerFact(0, "start", "ana", "Ana", SampleMoment(0, 16_000)),
        SpeakerFact(1, "stop", "ana", "Ana", UnixMoment(1_700_000_000_000)),
    ]


async def test_a_voice_of_its_own_is_a_stream_of_its_speaker(server: ApiServer) -> None:
    await server.session("s1")
    async with connected(server) as client:
        await client.message(type="join_session", session_id="s1")
        body = {"audio_data": PCM, "stream": 3}
        unnamed = await client.io.call("speaker_stream", body)
        named = await client.io.call(
            "speaker_stream", {**body, "participant": {"id": "ana", "name": "Ana"}}
        )

    assert (unnamed["code"], unnamed["field"]) == ("bad_request", "participant")
    assert (named["status"], named["stream"]) == ("stored", 3)
    assert server.archive.of("s1").streams[3].spec.participant == ParticipantRef("ana", "Ana")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"audio_data": "not base64!"},
        {"audio_data": 5},
        {"audio_data": b""},
        {"audio_data": b"odd"},
        {"audio_data": PCM, "encoding": "mp3"},
        {"audio_data": PCM, "sample_rate": 1},
        {"audio_data": PCM, "sequence": None},
        {"audio_data": PCM, "session_id": "unknown"},
    ],
)
async def test_audio_that_cannot_be_stored_is_refused_and_the_client_stays(
    server: ApiServer, body: dict[str, Any]
) -> None:
    await server.session("s1")
    async with connected(server) as client:
        await client.message(type="join_session", session_id="s1")
        ack = await client.io.call("transcription_stream", body)
        assert (await client.message(type="heartbeat"))["status"] == "ok"

    assert ack["status"] == "error"
    assert ack["code"] in ("bad_request", "bad_audio", "unknown_session")


async def test_a_session_that_has_ended_takes_no_more(server: ApiServer) -> None:
    session = await server.session("s1")
    session.complete()
    async with connected(server) as client:
        ack = await client.io.call("transcription_stream", {"session_id": "s1", "audio_data": PCM})

    assert ack["code"] == "session_ended"


async def test_the_joined_session_is_among_the_connections(server: ApiServer) -> None:
    await server.session("s1")
    async with connected(server) as client:
        await client.message(type="join_session", session_id="s1")
        _, of_one = await server.json("GET", "/api/websocket/connections?session_id=s1")
        await client.message(type="leave_session")
        _, of_none = await server.json("GET", "/api/websocket/connections?session_id=s1")

    assert (of_one["total"], of_none["total"]) == (1, 0)
