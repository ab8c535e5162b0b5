"""The steps of an uploaded file: its stream in a session, its audio, and its words."""

import asyncio
import contextlib
from collections.abc import Collection

from orchestration.api.audio_sender import FRAME_MS, FileStream, SessionSender
from orchestration.api.coverage import stream_coverages
from orchestration.api.session_line import SessionIsOver
from orchestration.api.upload_job import UploadJob
from orchestration.audio.pcm import PcmFormat
from orchestration.errors import SessionEnded, Unavailable
from orchestration.services.decoding import Decoding
from orchestration.session.fields import MAX_STREAM
from orchestration.session.inputs import EndOfStreams, StreamSpec
from orchestration.session.status import TERMINAL
from orchestration.storage.archive_ports import Archive
from orchestration.storage.values import StreamRow

CLOSING_SILENCE_MS = 1500
"""Silence behind a file in somebody's session: it ends the last utterance, which in a session of
the file's own the end of the stream does."""
POLL_S = 0.5
"""How often a job looks at what is stored."""

TRANSLATIONS_WAIT_S = 30
"""How long a file in somebody's session waits for translations behind its last words."""


async def open_file_stream(
    job: UploadJob, sender: SessionSender, pcm_format: PcmFormat
) -> FileStream:
    """The session's next stream, as the job's.

    Raises:
        SessionEnded: the session takes no more audio.
    """
    try:
        job.stream = free_stream(await sender.connect())
        spec = StreamSpec(job.stream, pcm_format, job.order.participant)
        await sender.open_stream(spec)
    except SessionIsOver:
        raise SessionEnded(
            f"Session {job.order.session_id} has ended.", {"session_id": job.order.session_id}
        ) from None
    return FileStream(sender, spec)


async def push_file(
    job: UploadJob, decoding: Decoding, sender: SessionSender, stream: FileStream
) -> None:
    """All of the file's audio, durable; in a session of its own also the end."""
    rate = stream.sample_rate
    pieces = decoding.pieces()
    async with contextlib.aclosing(pieces):
        async for piece in pieces:
            await stream.write(piece)
            decoded_ms = stream.samples * 1000 // rate
            if decoded_ms != job.decoded_ms:
                job.step(decoded_ms=decoded_ms)
    if job.order.session is None:
        await stream.write(bytes(CLOSING_SILENCE_MS * rate // 1000 * 2))
    await stream.end_within_a_frame()
    await stream.flush()
    job.step(
        stage="transcribing",
        decoded_ms=stream.samples * 1000 // rate,
        damaged_packets=decoding.damaged_packets,
    )
    if job.order.session is not None:
        await sender.push(EndOfStreams(((job.stream, stream.last_seq),), -1))


async def await_words(job: UploadJob, listening: asyncio.Task[None], archive: Archive) -> None:
    """Until the file's words and their translations are stored; the database may be away meanwhile.

    Args:
        listening: to the session, as its sender.

    Raises:
        TakenOver: another sends to somebody's session.
        UnknownSession: the session was deleted.
    """
    loop = asyncio.get_running_loop()
    heard_at_s: float | None = None
    own_session = job.order.session is not None
    while True:
        with contextlib.suppress(Unavailable):
            if await _is_over(job, archive):
                return
            if not own_session and job.heard_ms == job.decoded_ms:
                heard_at_s = heard_at_s or loop.time()
                late = loop.time() - heard_at_s > TRANSLATIONS_WAIT_S
                if late or await _is_translated(job, archive):
                    return
        if listening.done():
            # A file of its own has said its end: it needs no sender any more.
            error = listening.exception()
            if error is not None and not own_session:
                raise error
        await asyncio.sleep(POLL_S)


async def _is_over(job: UploadJob, archive: Archive) -> bool:
    """Whether the session has ended; `heard_ms` of the job is as stored afterwards."""
    row = await archive.session(job.order.session_id)
    streams = await archive.streams(job.order.session_id)
    pending_ms = next((pending_ms_of(one) for one in streams if one.spec.stream == job.stream), 0)
    heard_ms = max(0, job.decoded_ms - pending_ms)
    if heard_ms != job.heard_ms:
        job.step(heard_ms=heard_ms)
    return row.status in TERMINAL


async def _is_translated(job: UploadJob, archive: Archive) -> bool:
    languages = set((await archive.session(job.order.session_id)).spec.target_languages)
    if not languages:
        return True
    return all(
        {one.language for one in stored.translations} | {stored.segment.language} >= languages
        for stored in await archive.segments(job.order.session_id)
        if stored.segment.stream == job.stream
    )


def free_stream(taken: Collection[int]) -> int:
    """The number behind all that are taken, else the lowest that is free: a session has at most
    `max_streams` of them."""
    behind = max(taken, default=-1) + 1
    if behind <= MAX_STREAM:
        return behind
    return next(number for number in range(MAX_STREAM + 1) if number not in taken)


def pending_ms_of(row: StreamRow) -> int:
    """Milliseconds of a stream that are neither heard, silent nor lost, as stored."""
    coverage = stream_coverages([row])[0]
    pending, rate = coverage["pending"], coverage["sample_rate"]
    assert isinstance(pending, int)
    assert isinstance(rate, int)
    return pending * 1000 // rate


def is_whole(row: StreamRow) -> bool:
    """Whether all of a file is in its stream, as stored: only the last frame of a file is short.

    That the stream has ended says nothing of it: a session that is given up ends its streams where
    they are.
    """
    return row.next_sample % (row.spec.format.sample_rate * FRAME_MS // 1000) != 0
