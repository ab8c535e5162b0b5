"""docs/protocols.md, kept word for word by the service: audio of every kind that a bot may send."""

import numpy as np

from tests.acceptance.protocol_values import (
    FRAME,
    RATE,
    SILENCE,
    end_session,
    fates,
    noise,
)
from tests.acceptance.raw_client import (
    Samples,
    Service,
    end,
    frame,
    stream,
)


async def test_every_format_is_heard_and_recorded_as_it_was(service: Service) -> None:
    await service.create("pc-formats")
    described = [
        stream(0, 8_000),
        stream(1, 44_100, channels=2),
        stream(2, 48_000, "f32le"),
        stream(3, 16_000, "f32le", channels=2),
    ]
    sent: dict[int, Samples] = {}
    async with service.ingest("pc-formats") as bot:
        await bot.greeted(*described)
        for one in described:
            number, channels, size = one["id"], one["channels"], one["sample_rate"] // 10
            sent[number] = noise(3 * size, channels, seed=number)
            for seq in range(3):
                values = sent[number][seq * size : (seq + 1) * size]
                if one["encoding"] == "f32le":
                    values = (values / 32_768).astype("<f4")
                await bot.send(frame(seq, seq * size, values.tobytes(), stream=number))
            await bot.acked(2, number)
        await bot.say(end(dict.fromkeys(sent, 2)))
        coverage = await bot.ended()

    assert {one["id"]: one["duration"] for one in coverage} == {
        number: len(samples) for number, samples in sent.items()
    }
    assert all(fates(one) == one["duration"] and one["lost"] == 0 for one in coverage)
    for one in described:
        url = f"/api/sessions/pc-formats/recording?stream={one['id']}"
        samples, rate = (await service.ask("GET", url)).recording()
        assert rate == one["sample_rate"]
        assert np.array_equal(samples.reshape(-1, one["channels"]), sent[one["id"]])


async def test_floats_that_are_no_sound_become_silence(service: Service) -> None:
    await service.create("pc-floats")
    values = np.zeros(FRAME, "<f4")
    values[:7] = [np.nan, np.inf, -np.inf, 2, -2, 0.5, np.float32(1e-40)]
    async with service.ingest("pc-floats") as bot:
        await bot.greeted(stream(encoding="f32le"))
        await bot.send(frame(0, 0, values.tobytes()))
        await bot.acked(0)
        await bot.send(frame(1, FRAME, bytes(4 * FRAME)))
        await bot.acked(1)
        await bot.say(end({0: 1}))
        assert (await bot.ended())[0]["duration"] == 2 * FRAME
    recorded = await service.ask("GET", "/api/sessions/pc-floats/recording?stream=0")
    assert recorded.recording()[0][:7].tolist() == [0, 0, 0, 32_767, -32_768, 16_384, 0]


async def test_skipped_capture_is_a_gap_and_a_broken_clock_an_error(service: Service) -> None:
    await service.create("pc-gap")
    sound = noise(2 * FRAME)
    async with service.ingest("pc-gap") as bot:
        await bot.greeted()
        await bot.send(frame(0, 0, sound[:FRAME].tobytes()))
        await bot.send(frame(1, 5 * FRAME, sound[FRAME:].tobytes()))
        await bot.acked(1)
        leap = 6 * FRAME + 3600 * RATE + 1
        await bot.send(frame(2, leap, SILENCE))
        assert await bot.failed() == ("bad_audio", 4008)
    async with service.ingest("pc-gap") as bot:
        assert (await bot.greeted())["streams"][0]["next_sample"] == 6 * FRAME
        await bot.send(frame(2, 6 * FRAME - 1, SILENCE))
        assert await bot.failed() == ("bad_audio", 4008)

    coverage = await end_session(service, "pc-gap", 1)
    assert (coverage["duration"], fates(coverage)) == (6 * FRAME, 6 * FRAME)
    assert coverage["lost_by_reason"] == {"capture_skipped": 4 * FRAME}
    gaps = [one for one in await service.events("pc-gap") if one["type"] == "gap"]
    assert [(one["stream"], one["start"], one["end"], one["reason"]) for one in gaps] == [
        (0, 0.1, 0.5, "capture_skipped")
    ]
    recorded = await service.ask("GET", "/api/sessions/pc-gap/recording?stream=0")
    silence = np.zeros(4 * FRAME, np.int16)
    assert np.array_equal(
        recorded.recording()[0], np.concatenate([sound[:FRAME, 0], silence, sound[FRAME:, 0]])
    )
