"""What the embedded diarizer hears in a meeting that is not kept: played once, then remembered."""

from __future__ import annotations

from orchestration.audio.pcm import resample_for_engine
from orchestration.services.embedded_diarizer import EmbeddedDiarizer
from orchestration.services.labelling import labelled
from orchestration.services.ports import Diarization, Hypothesis, TranscriptionRequest
from orchestration.session.transcription import TranscribeOrder
from tests.score.known_meetings import KnownMeeting
from tests.score.replay import Answer, replay


async def with_heard_voices(meeting: KnownMeeting, answer: Answer) -> Answer:
    """The answers with the labels that the diarizer gives their words."""
    engine = EmbeddedDiarizer()
    heard: dict[tuple[int, int], Diarization] = {}

    async def listen(order: TranscribeOrder) -> Hypothesis:
        chunk = order.chunk
        audio = resample_for_engine(meeting.pcm[chunk.start : chunk.end], meeting.sample_rate)
        request = TranscriptionRequest(
            meeting.name, 0, chunk.index, audio, "en", "", voices=len(meeting.people)
        )
        heard[chunk.start, chunk.end] = await engine.diarize(request)
        return await answer(order)

    try:
        await replay(meeting, (), listen)
    finally:
        await engine.close()

    async def voiced(order: TranscribeOrder) -> Hypothesis:
        return labelled(await answer(order), heard[order.chunk.start, order.chunk.end])

    return voiced
