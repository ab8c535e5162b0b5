"""A session's runner over a journal in memory."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field

from orchestration.errors import DatabaseUnavailable
from orchestration.services.ports import Hypothesis
from orchestration.session.exchange import IngestBatch
from orchestration.session.inputs import AudioFrame, EndOfStreams, StreamSpec
from orchestration.session.recording_reader import RecordingReader
from orchestration.session.runner import SessionRunner
from orchestration.session.values import SessionValues
from orchestration.storage.journal_ports import SessionChanges
from orchestration.storage.values import JournalFact, JournalFrame
from orchestration.timing.units import NS_PER_MS
from tests.unit.session.meeting import FORMAT, FRAME, ZERO_UNIX_MS, silence, speech, words

SPOKEN = speech(20) + silence(20)


@dataclass
class MemoryJournal:
    """What a runner without recordings asks of its journal; `commit` fails `outages` times."""

    outages: int = 0
    frames: list[JournalFrame] = field(default_factory=list)
    changes: list[SessionChanges] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    """The last facts that ends announced."""

    async def open_streams(self, session: str, epoch: int, specs: Sequence[StreamSpec]) -> None:
        return

    async def append(
        self,
        session: str,
        epoch: int,
        frames: Sequence[JournalFrame],
        facts: Sequence[JournalFact],
    ) -> None:
        self.frames.extend(frames)

    async def end_streams(
        self, session: str, epoch: int, last: Mapping[int, int], last_fact: int
    ) -> None:
        self.ends.append(last_fact)

    async def commit(self, session: str, epoch: int, changes: SessionChanges) -> None:
        if self.outages:
            self.outages -= 1
            raise DatabaseUnavailable("The database is away.")
        self.changes.append(changes)

    async def frames_from(
        self, session: str, stream: int, sample: int
    ) -> AsyncIterator[JournalFrame]:
        for frame in self.frames:
            if frame.first_sample + frame.sample_count > sample:
                yield frame

    async def last_files(self, session: str) -> Mapping[int, object]:
        return {}

    async def shrink(self, *where: object, **how: object) -> int:
        return 0


def said(text: str) -> Hypothesis:
    return words((text, 400, 1800))


def frames(pcm: bytes, *, first_seq: int = 0) -> tuple[AudioFrame, ...]:
    """Frames of 100 ms."""
    return tuple(
        AudioFrame(0, first_seq + number, (first_seq + number) * FRAME, pcm[at : at + 2 * FRAME])
        for number, at in enumerate(range(0, len(pcm), 2 * FRAME))
    )


async def send(runner: SessionRunner, *items: AudioFrame | EndOfStreams) -> None:
    await runner.push("c1", IngestBatch(items, (ZERO_UNIX_MS * NS_PER_MS,) * len(items)))


async def connect(runner: SessionRunner) -> None:
    await runner.start()
    await runner.connect("c1", [StreamSpec(0, FORMAT, None)])


class NoRecording(RecordingReader):
    """For sessions that are not repaired."""

    def __init__(self) -> None:
        return


VALUES = SessionValues(translation_attempts=1, translation_patience_ms=0, outage_patience_ms=0)
