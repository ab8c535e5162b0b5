"""docs/protocols.md, kept word for word by the service: what a bot sends and is told."""

import numpy as np

from tests.acceptance.protocol_values import (
    FRAME,
    RATE,
    SILENCE,
    end_session,
    fates,
    noise,
    send_silence,
)
from tests.acceptance.raw_client import (
    Json,
    Service,
    Socket,
    end,
    frame,
    hello,
    stream,
)

ANA = {"participant_id": "p-1", "name": "Ana"}
FACTS: list[Json] = [
    {"type": "clock", "stream": 0, "sample": 0, "unix_ms": 1_790_000_000_000},
    {"type": "participant", "event": "join", "participant": {"id": "p-1", "name": "Ana"}},
    {"type": "speaker", "event": "start", **ANA, "stream": 0, "sample": 0, "unknown": None},
    {"type": "speaker", "event": "stop", **ANA, "unix_ms": 1_790_000_000_500},
    {"type": "caption", **ANA, "text": "Hi", "stream": 0, "start_sample": 0, "end_sample": 9},
    {"type": "caption", **ANA, "text": "Hi", "start_unix_ms": 1, "end_unix_ms": 2},
    {"type": "chat", **ANA, "text": "Hello"},
    {"type": "participant", "event": "leave", "participant": {"id": "p-1", "name": "Ana"}},
]
"""One of each kind, and timed in each way."""


async def check_greeting(bot: Socket, session_id: str) -> None:
    welcome = await bot.greeted({**stream(), "unknown": {"deep": [1]}})
    assert welcome == {
        "type": "welcome",
        "session_id": session_id,
        "epoch": welcome["epoch"],
        "streams": [{"id": 0, "next_seq": 0, "next_sample": 0, "window": 600}],
        "next_fact": 0,
        "max_frame_bytes": 65_536,
        "ack_ms": 250,
    }
    await bot.say({"type": "ping", "t": 7})
    assert await bot.until("pong") == {"type": "pong", "t": 7}
    await bot.say({"type": "ping", "t": "x" * 100})
    await bot.until("pong", t="x" * 100)
    await bot.say({"type": "dance", "how": "well"})
    assert (await bot.until("error"))["fatal"] is False


async def check_facts(bot: Socket) -> None:
    for number, fact in enumerate(FACTS):
        await bot.say({**fact, "fact": number})
    await bot.facts_acked(len(FACTS) - 1)
    await bot.say({**FACTS[2], "fact": 2})  # A repeat is acked again.
    assert (await bot.until("ack"))["facts"] == len(FACTS) - 1


async def check_frames(bot: Socket) -> None:
    """Seven frames of stream 0; one of them comes again, and one too early."""
    await send_silence(bot, 0, 4)
    await bot.acked(4)
    await bot.send(frame(1, FRAME, SILENCE))
    assert (await bot.until("ack"))["streams"] == [{"id": 0, "upto": 4, "window": 600}]

    await bot.send(frame(6, 6 * FRAME, SILENCE))
    assert await bot.until("nack") == {"type": "nack", "stream": 0, "expected": 5}
    await send_silence(bot, 5, 6)
    await bot.acked(6)


async def check_second_stream(bot: Socket) -> None:
    """Stream 9, and one frame of it."""
    await bot.say({"type": "stream", **stream(9, 8_000)})
    opened = await bot.until("stream_open")
    place = {"next_seq": 0, "next_sample": 0, "window": 600}
    assert opened == {"type": "stream_open", "id": 9, **place}
    await bot.send(frame(0, 0, bytes(1600), stream=9))
    await bot.acked(0, number=9)


async def test_frames_and_facts_are_acked_until_all_is_ended(service: Service) -> None:
    await service.create("pc-acks")
    async with service.ingest("pc-acks") as bot:
        await check_greeting(bot, "pc-acks")
        await check_facts(bot)
        await check_frames(bot)
        await check_second_stream(bot)
        await bot.say(end({0: 6, 9: 0}, last_fact=len(FACTS) - 1))
        coverage = await bot.ended()

    assert [(one["id"], one["sample_rate"], one["duration"]) for one in coverage] == [
        (0, RATE, 7 * FRAME),
        (9, 8_000, 800),
    ]
    assert all(fates(one) == one["duration"] and one["pending"] == 0 for one in coverage)
    assert (await service.get("/api/sessions/pc-acks/coverage"))["streams"] == coverage
    people = (await service.get("/api/sessions/pc-acks/participants"))["items"]
    assert [(one["id"], one["name"], one["is_bot"]) for one in people] == [("p-1", "Ana", False)]
    events = await service.events("pc-acks")
    assert [one["event"] for one in events if one["type"] == "participant"] == ["join", "leave"]


async def test_a_completed_session_ends_a_hello_at_once(service: Service) -> None:
    coverage = (await service.get("/api/sessions/pc-acks/coverage"))["streams"]
    async with service.ingest("pc-acks") as bot:
        await bot.say(hello())
        assert await bot.ended() == coverage
    assert [one["type"] for one in bot.heard] == ["ended"]


async def test_a_sender_that_lost_its_connection_goes_on_where_welcome_says(
    service: Service,
) -> None:
    await service.create("pc-resume")
    async with service.ingest("pc-resume") as bot:
        await bot.greeted()
        await send_silence(bot, 0, 2)
        await bot.say({"type": "clock", "fact": 0, "stream": 0, "sample": 0, "unix_ms": 1})
        await bot.acked(2)
        await bot.facts_acked(0)
        await bot.say(end({0: 4}, last_fact=0))
        await bot.until("ack")
        bot.cut()
        await bot.closed()
    async with service.ingest("pc-resume") as bot:
        welcome = await bot.greeted()
        assert (welcome["next_fact"], welcome["streams"][0]["next_seq"]) == (1, 3)
        assert welcome["streams"][0]["next_sample"] == 3 * FRAME
        await send_silence(bot, 3, 4)
        await bot.acked(4)
        await bot.say(end({0: 4}, last_fact=0))
        coverage = await bot.ended()
    assert (coverage[0]["duration"], coverage[0]["lost"]) == (5 * FRAME, 0)


async def test_the_first_content_of_a_frame_stands(service: Service) -> None:
    await service.create("pc-conflict")
    first, second = noise(FRAME, seed=1), noise(FRAME, seed=2)
    async with service.ingest("pc-conflict") as bot:
        await bot.greeted()
        await bot.send(frame(0, 0, first.tobytes()))
        await bot.acked(0)
        await bot.send(frame(0, 0, second.tobytes()))
        assert await bot.failed() == ("frame_conflict", 4009)

    await end_session(service, "pc-conflict", 0)
    recorded = await service.ask("GET", "/api/sessions/pc-conflict/recording?stream=0")
    assert np.array_equal(recorded.recording()[0], first[:, 0])


async def test_a_second_connection_takes_over(service: Service) -> None:
    await service.create("pc-takeover")
    async with service.ingest("pc-takeover") as first:
        await first.greeted()
        await send_silence(first, 0, 0)
        await first.acked(0)
        async with service.ingest("pc-takeover") as second:
            welcome = await second.greeted()
            assert welcome["streams"][0]["next_seq"] == 1
            await send_silence(second, 1, 1)
            await second.acked(1)
            assert await first.failed() == ("taken_over", 4103)
            await second.say(end({0: 1}))
            assert (await second.ended())[0]["duration"] == 2 * FRAME
