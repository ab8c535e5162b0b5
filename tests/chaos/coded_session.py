"""A session of coded audio, played by the reference client and watched live to its end."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import soundfile

from orchestration.client.api import OrchestrationClient
from orchestration.client.ingest import BotConnection
from orchestration.client.ingest_events import AudioSkipped, IngestEvent
from orchestration.client.live import watch
from orchestration.client.outbox import StreamOutbox
from orchestration.client.player import AudioTrack, play
from orchestration.errors import Unavailable
from orchestration.json_types import JsonObject
from tests.chaos.coded_audio import CodedMeeting

POLL_S = 0.01
LEVEL_FRAMES = 20
"""Frames that may await their ack at any time."""
COMPLETION_LIMIT_S = 240
"""A session that has not ended this long after its last frame was captured has failed."""


class NotInTime(Exception):
    """The service did not do what it should within the time that the harness gives it."""


@dataclass
class CodedSession:
    """One session under way. `events` are the live stream's durable ones, as they came."""

    session_id: str
    meeting: CodedMeeting
    bot: BotConnection
    track: AudioTrack
    playing: "asyncio.Task[None]"
    watching: "asyncio.Task[list[JsonObject]]"
    events: list[JsonObject]
    skipped: int = 0
    """Samples that the client could not hold: none in a run that counts."""

    @property
    def outbox(self) -> StreamOutbox:
        return self.bot.protocol.streams[0]

    @property
    def position_ms(self) -> int:
        """How much of the meeting has been captured."""
        return self.track.position * 1000 // self.meeting.sample_rate

    async def acks_go_on(self, limit_s: float) -> float:
        """Seconds until a frame is acked that is captured after this call.

        Raises:
            NotInTime: none was.
        """
        began_s = asyncio.get_running_loop().time()
        mark = self.outbox.next_seq
        while self.outbox.acked <= mark:
            waited_s = asyncio.get_running_loop().time() - began_s
            if waited_s > limit_s:
                raise NotInTime(f"{self.session_id}: no new ack in {limit_s:g} s")
            if self.playing.done():
                why = self.playing.exception() or "it was at its end"
                raise NotInTime(f"{self.session_id}: the meeting ended before an ack came: {why!r}")
            await asyncio.sleep(POLL_S)
        return asyncio.get_running_loop().time() - began_s

    async def level(self, limit_s: float) -> None:
        """Until all but a few frames are acked, as they are where nothing is wrong.

        Raises:
            NotInTime: it takes too long.
        """
        began_s = asyncio.get_running_loop().time()
        while self.outbox.next_seq - self.outbox.acked > LEVEL_FRAMES:
            if asyncio.get_running_loop().time() - began_s > limit_s:
                raise NotInTime(f"{self.session_id}: acks still lag behind after {limit_s:g} s")
            await asyncio.sleep(POLL_S)

    async def finish(self) -> JsonObject:
        """Let the meeting end at its next pause; the coverage, once all is transcribed.

        Raises:
            NotInTime: the session does not end, or does not tell its watcher.
        """
        end_ms = self.meeting.pause_after(self.position_ms)
        self.track.sample_count = end_ms * self.meeting.sample_rate // 1000
        await self.playing
        # The last frame goes on a little into the pause.
        self.meeting = self.meeting.until(self.track.position)
        try:
            async with asyncio.timeout(COMPLETION_LIMIT_S):
                coverage = await self.bot.end()
                await self.watching
        except TimeoutError:
            raise NotInTime(f"{self.session_id}: not ended in {COMPLETION_LIMIT_S} s") from None
        return coverage


@contextlib.asynccontextmanager
async def coded_session(
    client: OrchestrationClient,
    session_id: str,
    meeting: CodedMeeting,
    folder: Path,
    *,
    speed: float,
    sending: OrchestrationClient | None = None,
) -> AsyncIterator[CodedSession]:
    """Begin a session; `sending` is another way to the service for the bot alone."""
    path = folder / f"{session_id}.wav"
    soundfile.write(path, meeting.samples, meeting.sample_rate, subtype="PCM_16")
    track = AudioTrack(0, path)
    await _created(client, session_id)

    def on_event(event: IngestEvent) -> None:
        if isinstance(event, AudioSkipped):
            session.skipped += event.samples

    bot = BotConnection(sending or client, session_id, [track.spec], on_event=on_event)
    async with bot:
        playing = asyncio.create_task(play(bot, [track], speed=speed))
        events: list[JsonObject] = []
        watching = asyncio.create_task(_watch(client, session_id, events))
        session = CodedSession(session_id, meeting, bot, track, playing, watching, events)
        try:
            yield session
        finally:
            playing.cancel()
            watching.cancel()
            await asyncio.gather(playing, watching, return_exceptions=True)
            track.close()
            path.unlink()


async def _created(client: OrchestrationClient, session_id: str) -> None:
    """Create the session, as soon as there is a service: the last kill may just have been."""
    async with asyncio.timeout(COMPLETION_LIMIT_S):
        while True:
            try:
                await client.create_session(session_id=session_id, language="en")
                return
            except Unavailable:
                await asyncio.sleep(POLL_S)


@contextlib.asynccontextmanager
async def watched_events(
    client: OrchestrationClient, session_id: str
) -> AsyncIterator["asyncio.Task[list[JsonObject]]"]:
    """A viewer from the first event on; the task's result are all durable events."""
    watching = asyncio.create_task(_watch(client, session_id, []))
    try:
        yield watching
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def _watch(
    client: OrchestrationClient, session_id: str, events: list[JsonObject]
) -> list[JsonObject]:
    """Add durable events as they come, until the session has completed."""
    async for message in watch(client, session_id, after=0):
        if "seq" in message and message["type"] not in ("resumed", "snapshot"):
            events.append(message)
    return events
