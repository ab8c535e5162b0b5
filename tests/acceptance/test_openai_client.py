"""The running service in the place of OpenAI's transcription API."""

from pathlib import Path

import aiohttp

from tests.scoring import word_error_rate
from tests.service import RunningService

DATA = Path(__file__).parents[1] / "data"


async def test_a_file_is_transcribed_as_openai_s_clients_ask_for_it(
    running: RunningService,
) -> None:
    form = aiohttp.FormData({"model": "whisper-1", "language": "en", "response_format": "json"})
    form.add_field("file", (DATA / "reading.flac").open("rb"), filename="reading.flac")
    async with (
        aiohttp.ClientSession() as client,
        client.post(f"{running.url}/v1/audio/transcriptions", data=form) as response,
    ):
        assert response.status == 200
        text = (await response.json())["text"]
    said = (DATA / "reading.txt").read_text(encoding="utf-8")
    assert word_error_rate(said, text).rate <= 0.1
