"""People on a real service: named by Google Meet's records, and taken out for good."""

import asyncio
import io
import json
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_asyncio
import yaml

from orchestration.client.api import OrchestrationClient
from orchestration.client.ingest import BotConnection
from orchestration.errors import SessionRunning, UnknownSession
from orchestration.session.events import iso_utc
from orchestration.session.inputs import ParticipantFact, ParticipantRef, SampleMoment, SpeakerFact
from orchestration.session.inputs import StreamSpec as Stream
from orchestration.storage.pool import connect
from tests.doubles.google_meet_server import GoogleMeetDouble
from tests.doubles.whisper_server import Samples, WhisperDouble
from tests.service import RunningService, files_below, own_database, service
from tests.unit.session.meeting import FORMAT, FRAME, RATE, silence, speech

CODE, CALL = "abc-mnop-xyz", "conferenceRecords/call-1"
SAID = "shall we begin with the figures of last week"
ANA = ParticipantRef("p-ana", "Ana Lima", "ana@example.org")
BEN = ParticipantRef("p-ben", "Ben")
TRACES = ("Ana", "ana@example.org", "p-ana")
OWN, MIXED = 0, 1
SPEECH_S, SILENCE_S = 3, 2


def heard(samples: Samples) -> Any:
    """The same sentence in whatever is loud."""
    end_s = len(samples) / RATE
    words = SAID.split()
    timed = [
        {
            "word": f" {word}",
            "start": end_s * number / len(words),
            "end": end_s * (number + 1) / len(words),
            "probability": 0.9,
        }
        for number, word in enumerate(words)
    ]
    return {"language": "en", "duration": end_s, "text": SAID, "words": timed, "segments": []}


@dataclass
class Stage:
    """A service, what it hears by, and Google Meet's records as they are said to be."""

    running: RunningService
    client: OrchestrationClient
    google: GoogleMeetDouble

    async def rows(self, statement: str, *arguments: Any) -> list[Any]:
        """By the service's own database."""
        connection = await connect(own_database(self.running.data_dir), connect_timeout_s=10)
        try:
            return list(await connection.fetch(statement, *arguments))
        finally:
            await connection.close()

    async def tables_with(self, *texts: str) -> list[str]:
        """Tables of which some row has one of these texts in it."""
        tables = await self.rows(
            "SELECT table_name FROM information_schema.tables"
            " WHERE table_schema = 'bot_sessions' AND table_type = 'BASE TABLE'"
        )
        found = []
        for (table,) in tables:
            rows = await self.rows(f"SELECT t::text FROM bot_sessions.{table} t")
            if any(text in row[0] for row in rows for text in texts):
                found.append(table)
        return found

    def files(self, session_id: str) -> list[str]:
        folder = self.running.data_dir / "recordings" / session_id
        return sorted(path.name for path in folder.glob("*"))

    async def speaks(self, bot: BotConnection) -> None:
        """A sentence in each stream, and then silence; as fast as the service takes it."""
        pcm = speech(SPEECH_S * 10) + silence(SILENCE_S * 10)
        for at in range(0, len(pcm), 2 * FRAME):
            for stream in (OWN, MIXED):
                bot.add_audio(stream, pcm[at : at + 2 * FRAME])

    def lines(self, session_id: str) -> Callable[[], Awaitable[list[Any]]]:
        async def read() -> list[Any]:
            transcript: Any = await self.client.transcript(session_id)
            return list(transcript["segments"])

        return read


async def until(
    read: Callable[[], Awaitable[Any]], holds: Callable[[Any], object], within_s: float = 60
) -> Any:
    """What is read once it is as it is to be."""
    async with asyncio.timeout(within_s):
        while not holds(found := await read()):  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.2)
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    folder: Path = tmp_path_factory.mktemp("people")
    async with GoogleMeetDouble() as google, WhisperDouble(heard) as whisper:
        config = folder / "o.yaml"
        settings = {"google_meet": {"base_url": google.url, "poll_interval_s": 1}}
        config.write_text(yaml.safe_dump(settings), "utf-8")
        life = service(
            folder / "data",
            ORCHESTRATION_CONFIG=str(config),
            GOOGLE_MEET_CREDENTIALS=json.dumps(google.service_account),
            WHISPER_SERVICE_URL=whisper.url,
        )
        running = await asyncio.to_thread(life.__enter__)
        try:
            async with OrchestrationClient(running.url) as client:
                yield Stage(running, client, google)
        finally:
            await asyncio.to_thread(life.__exit__, None, None, None)
    assert google.faults == []


def streams() -> list[Stream]:
    return [Stream(OWN, FORMAT, ANA), Stream(MIXED, FORMAT)]


async def test_google_meets_records_name_people_in_a_meeting_and_lines_after_it(
    stage: Stage,
) -> None:
    client, google = stage.client, stage.google
    began = datetime.now(UTC)
    ben = f"{CALL}/participants/2"
    # Attendees are made participants a minute after they came.
    came = moment(began - timedelta(minutes=2))
    google.hold(CALL, CODE, came)
    google.records[f"{CALL}/transcripts"] = []
    google.records[f"{CALL}/participants"] = [
        {
            "name": ben,
            "earliestStartTime": came,
            "signedinUser": {"user": "users/2", "displayName": "Ben"},
        }
    ]
    google.records[f"{ben}/participantSessions"] = [
        {"name": f"{ben}/participantSessions/x", "startTime": came}
    ]
    await client.create_session(
        session_id="meet", language="en", meeting_id=f"https://meet.google.com/{CODE}"
    )

    async def people() -> list[Any]:
        page: Any = await client.session_list("meet", "participants")
        return [one["name"] for one in page["items"]]

    async with BotConnection(client, "meet", streams()) as bot:
        await stage.speaks(bot)
        assert set(await until(people, lambda names: "Ben" in names)) == {"Ana Lima", "Ben"}
        coverage: Any = await bot.end()
    assert all(one["pending"] == one["lost"] == 0 for one in coverage["streams"])
    lines = await stage.lines("meet")()
    names = [line["speaker"] and line["speaker"]["name"] for line in lines]
    assert set(names) == {"Ana Lima", None}

    (unnamed,) = [line for line in lines if line["stream"] == MIXED]
    entry = {
        "participant": ben,
        "text": SAID,
        "startTime": unnamed["absolute_start"],
        "endTime": unnamed["absolute_end"],
    }
    google.records["conferenceRecords"][0]["endTime"] = moment(datetime.now(UTC))
    google.records[f"{CALL}/transcripts"] = [
        {"name": f"{CALL}/transcripts/t", "state": "FILE_GENERATED"}
    ]
    google.records[f"{CALL}/transcripts/t/entries"] = [entry]
    await until(hastened(stage), lambda phase: phase == "repaired")
    found = {line["stream"]: line["speaker"] for line in await stage.lines("meet")()}
    assert (found[MIXED]["name"], found[MIXED]["method"]) == ("Ben", "google_meet_api")
    assert (found[OWN]["name"], found[OWN]["method"]) == ("Ana Lima", "own_stream")
    told: Any = (await client.events("meet"))["items"]
    assert told[-1]["type"] == "speaker"
    parts: Any = await client.services()
    (integration,) = parts["integrations"]
    assert (integration["name"], integration["status"]) == ("google_meet", "active")


def moment(at: datetime) -> str:
    return iso_utc(round(at.timestamp() * 1000))


def hastened(stage: Stage) -> Callable[[], Awaitable[Any]]:
    """How far Meet's records are read; their transcript is looked for now, and not each minute."""

    async def read() -> Any:
        (row,) = await stage.rows(
            "UPDATE bot_sessions.google_meet_conferences"
            " SET due_at = CASE phase WHEN 'awaiting' THEN now() ELSE due_at END RETURNING phase"
        )
        return row[0]

    return read


async def test_an_erased_person_is_nowhere_and_does_not_come_back(stage: Stage) -> None:
    client = stage.client
    await client.delete_session("meet")
    await client.create_session(session_id="erased", language="en", target_languages=["pt"])
    async with BotConnection(client, "erased", streams()) as bot:
        for person in (ANA, BEN):
            bot.add_fact(ParticipantFact(0, "join", person, None))
        for person, at_s in ((ANA, 0), (BEN, SPEECH_S + SILENCE_S)):
            for event, s in (("start", at_s), ("stop", at_s + SPEECH_S)):
                at = SampleMoment(MIXED, s * RATE)
                bot.add_fact(SpeakerFact(0, event, person.participant_id, person.name, at))  # type: ignore[arg-type]
        await stage.speaks(bot)
        await until(stage.lines("erased"), lambda lines: len(lines) == 2)
        with pytest.raises(SessionRunning):
            await client.erase_person(email="ANA@example.org")
        assert "transcripts" in await stage.tables_with(*TRACES)
        await stage.speaks(bot)
        await bot.end()
    # An actor that has them all in memory.
    renamed = await client.rename_speaker("erased", "p-ana", "Ana from Porto")
    assert renamed["repainted"] == 3
    files = stage.files("erased")
    assert [name[:5] for name in files] == ["00000", "00001"]

    receipt: Any = await client.erase_person(email="ANA@example.org")

    assert (receipt["kind"], receipt["sessions"], receipt["files"]) == ("person", 1, 1)
    assert {"transcripts", "events", "facts", "participants", "streams"} <= set(receipt["rows"])
    assert stage.files("erased") == files[1:]
    assert await stage.tables_with(*TRACES) == []
    said = {(line["stream"], line["text"]) for line in await stage.lines("erased")()}
    assert said == {(OWN, ""), (MIXED, ""), (MIXED, SAID)}

    # Other actors hear the session's facts and lines again, and are asked for names.
    (erased,) = {
        line["speaker"]["id"] for line in await stage.lines("erased")() if line["stream"] == OWN
    }
    assert erased.startswith("erased-")
    await client.correlate("erased")
    await client.rename_speaker("erased", "p-ben", "Benedikt")
    assert await stage.tables_with(*TRACES) == []
    names = {line["speaker"]["name"] for line in await stage.lines("erased")()}
    assert names == {"Erased", "Benedikt"}
    archive = b"".join([piece async for piece in client.export_session("erased")])
    with zipfile.ZipFile(io.BytesIO(archive)) as whole:
        texts = [whole.read(name) for name in whole.namelist() if not name.endswith(".flac")]
    assert not [text for text in texts if any(trace.encode() in text for trace in TRACES)]
    kept = files_below(stage.running.data_dir.parent)
    logs = [path.read_bytes() for path in kept if path.suffix == ".log"]
    assert logs
    assert not [log for log in logs if any(trace.encode() in log for trace in TRACES)]


async def test_sessions_past_their_retention_are_swept_and_younger_ones_are_not(
    stage: Stage,
) -> None:
    client = stage.client
    await client.create_session(session_id="young", language="en")
    async with BotConnection(client, "young", streams()) as bot:
        await stage.speaks(bot)
        await bot.end()
    await stage.rows(
        "UPDATE bot_sessions.sessions SET end_time = $1 WHERE session_id = 'erased'",
        datetime.now(UTC) - timedelta(days=3),
    )
    await client.change_settings({"retention": {"sessions_days": 2}})
    # The sweep comes once an hour, and soon after a start.
    coordinator_of(stage.running).kill()

    async def receipts() -> list[Any]:
        page: Any = await client.erasures()
        return list(page["items"])

    (swept, *_) = await until(receipts, lambda found: found[0]["kind"] == "retention")
    assert (swept["sessions"], swept["files"]) == (1, 1)
    with pytest.raises(UnknownSession):
        await client.session("erased")
    assert stage.files("erased") == []
    assert await stage.tables_with("erased:") == []
    assert (await client.session("young"))["status"] == "completed"
    assert len(stage.files("young")) == 2


def coordinator_of(running: RunningService) -> psutil.Process:
    return next(
        process
        for process in psutil.process_iter(["cmdline", "environ"])
        if process.info["cmdline"]
        and process.info["cmdline"][0].startswith("ray::Coordinator")
        and str(running.data_dir) in str(process.info["environ"])
    )
