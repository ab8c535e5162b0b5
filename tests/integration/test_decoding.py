"""Files as people upload them: over thirty formats, and twice as many that are broken or lie."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from time import perf_counter

import numpy as np
import pytest
import soundfile

from orchestration.audio.decoding import DecodedAudio, DecodeLimits
from orchestration.client.player import AudioTrack
from orchestration.errors import (
    AudioTooLong,
    DecodingTooSlow,
    OrchestrationError,
    TooLarge,
    UnreadableFile,
)
from orchestration.services.decoding import decode, open_decoding
from tests.data.make_files import FORMATS, TONE_HZ, TONE_S, hostile_files, tone_file
from tests.data.make_lying_files import lying_files

Outcome = DecodedAudio | OrchestrationError

AT_ONCE = 2
PLENTY_MS = 60_000
"""No file here needs a second; a decoder that hangs would be ended by this."""


async def outcome(file: bytes, limits: DecodeLimits) -> Outcome:
    try:
        return await decode(file, limits)
    except OrchestrationError as error:
        return error


async def outcomes_of(files: dict[str, bytes]) -> dict[str, Outcome]:
    places = asyncio.Semaphore(AT_ONCE)
    limits = DecodeLimits(max_cpu_s=20, max_wait_ms=PLENTY_MS)

    async def one(file: bytes) -> Outcome:
        async with places:
            return await outcome(file, limits)

    found = await asyncio.gather(*(one(file) for file in files.values()))
    return dict(zip(files, found, strict=True))


@pytest.fixture(scope="module")
async def heard() -> dict[str, Outcome]:
    return await outcomes_of({name: tone_file(form) for name, form in FORMATS.items()})


@pytest.fixture(scope="module")
async def suffered() -> AsyncIterator[tuple[dict[str, Outcome], list[bytes]]]:
    """What came of each hostile file, and what came to the address that some refer to."""
    visits: list[bytes] = []

    async def visited(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visits.append(await reader.read(1000))
        writer.close()

    server = await asyncio.start_server(visited, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    reference = f"http://127.0.0.1:{port}/a.wav"
    makers = {**hostile_files(reference), **lying_files(reference)}
    yield await outcomes_of({name: make() for name, make in makers.items()}), visits
    server.close()


@pytest.mark.parametrize("name", FORMATS)
def test_a_tone_is_decoded_from_every_format(name: str, heard: dict[str, Outcome]) -> None:
    audio = heard[name]
    assert isinstance(audio, DecodedAudio), audio
    assert abs(audio.duration_ms - TONE_S * 1000) < 120
    samples = np.frombuffer(audio.pcm, "<i2").astype(np.float64)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    loudest_hz = int(spectrum.argmax()) * audio.format.sample_rate / len(samples)
    assert loudest_hz == pytest.approx(TONE_HZ, abs=5)


@pytest.mark.parametrize(
    ("container", "subtype", "loudness"),
    [
        ("WAV", "FLOAT", 0.5),
        ("WAV", "DOUBLE", 0.5),
        ("OGG", "OPUS", 0.5),
        ("WAV", "FLOAT", 3.0),
        ("OGG", "OPUS", 0.99),
    ],
)
async def test_files_of_floats_are_as_loud_as_they_are_and_never_wrap(
    container: str, subtype: str, loudness: float, tmp_path: Path
) -> None:
    tone = loudness * np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)
    path = tmp_path / f"tone.{container.lower()}"
    soundfile.write(path, tone, 16_000, format=container, subtype=subtype)
    inner = slice(1000, 15_000)
    expected = pytest.approx(np.clip(tone, -1, 1)[inner], abs=0.1)
    heard = np.frombuffer((await decode(path)).pcm, "<i2") / 32_768
    assert heard[inner] == expected
    played = np.frombuffer(AudioTrack(0, path).read_until(16_000), "<i2") / 32_768
    assert played[inner] == expected


@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
async def test_values_that_are_no_numbers_are_silence(
    subtype: str, value: float, tmp_path: Path
) -> None:
    path = tmp_path / "nan.wav"
    samples = np.where(np.arange(16_000) % 2, value, 0.25)
    soundfile.write(path, samples, 16_000, format="WAV", subtype=subtype)
    heard = np.frombuffer((await decode(path)).pcm, "<i2")
    assert set(heard.tolist()) == {0, 8192}
    played = np.frombuffer(AudioTrack(0, path).read_until(16_000), "<i2")
    assert set(played.tolist()) == {0, 8192}


STILL_HEARD = {
    "wav_that_claims_4_gb",
    "mp3_cut_off",
    "flac_damaged",
    "wav_that_is_a_zip_too",
    "pdf_that_is_mp3_too",
    "zip_that_is_mp3_too",
    "playlist_that_is_mp3_too",
    "page_that_is_mp3_too",
    "wav_of_infinities",
    "wav_in_wav_in_wav",
    "flac_that_claims_ages",
    "flac_of_a_large_cover",
    "flac_of_a_vast_cover",
    "mp3_of_a_large_cover",
    "mp3_of_two_rates",
    "ogg_that_claims_ages",
    "ogg_of_a_tone_then_another",
    "mp4_that_claims_ages",
    "webm_before_its_time",
    "au_that_begins_after_its_end",
}
CODES = {
    "flac_of_long_silence": "audio_expands_too_much",
    "wav_at_one_hertz": "audio_expands_too_much",
}
EITHER = {"noise", "mp3_behind_an_endless_tag", "mp4_with_a_vast_box", "mp4_cut_off"}
"""A decoder may find something in them, or nothing."""


@pytest.mark.parametrize("name", [*hostile_files(""), *lying_files("")])
def test_a_hostile_file_ends_in_audio_or_in_a_clear_error(
    name: str, suffered: tuple[dict[str, Outcome], list[bytes]]
) -> None:
    found = suffered[0][name]
    if name in STILL_HEARD:
        assert isinstance(found, DecodedAudio), found
        assert 200 < found.duration_ms < 4000
    elif name not in EITHER:
        assert isinstance(found, OrchestrationError)
        assert found.code == CODES.get(name, "unsupported_audio")


def test_no_file_makes_the_decoder_call_an_address(
    suffered: tuple[dict[str, Outcome], list[bytes]],
) -> None:
    assert suffered[1] == []


@pytest.mark.parametrize("name", ["hls_playlist", "concat_script", "m3u_playlist"])
async def test_a_playlist_of_local_files_opens_none_of_them(name: str, tmp_path: Path) -> None:
    local = tmp_path / "local.wav"
    local.write_bytes(tone_file(FORMATS["wav"]))
    found = await outcome(hostile_files(str(local))[name](), DecodeLimits())
    assert isinstance(found, OrchestrationError)
    assert found.code == "unsupported_audio"


async def test_a_movie_whose_samples_are_in_another_file_opens_it_not(tmp_path: Path) -> None:
    local = tmp_path / "local.mov"
    local.write_bytes(tone_file(FORMATS["mov"]))
    found = await outcome(lying_files(str(local))["mov_of_another_file"](), DecodeLimits())
    assert isinstance(found, OrchestrationError)
    assert found.code == "unsupported_audio"


async def test_a_file_that_needs_more_memory_than_allowed_is_refused() -> None:
    cover = lying_files("")["flac_of_a_large_cover"]()
    found = await outcome(cover, DecodeLimits(max_memory_bytes=4_000_000))
    assert isinstance(found, OrchestrationError)
    assert found.code == "unsupported_audio"


async def test_each_limit_ends_with_its_own_error(tmp_path: Path) -> None:
    wav = tone_file(FORMATS["wav"], 2)
    path = tmp_path / "tone.wav"
    path.write_bytes(wav)
    with pytest.raises(TooLarge, match=str(len(wav))):
        await decode(path, DecodeLimits(max_file_bytes=1000))
    with pytest.raises(AudioTooLong, match="1 s"):
        await decode(path, DecodeLimits(max_duration_ms=1000))
    with pytest.raises(DecodingTooSlow):
        await decode(path, DecodeLimits(max_wait_ms=1))
    with pytest.raises(UnreadableFile):
        await decode(tmp_path / "none.wav", DecodeLimits())


async def test_a_reader_that_leaves_early_leaves_no_process() -> None:
    began_s = perf_counter()
    async with open_decoding(tone_file(FORMATS["wav"], 60)) as decoding:
        await anext(decoding.pieces())
    assert decoding._process.returncode is not None
    assert perf_counter() - began_s < PLENTY_MS / 1000
