"""What the edge needs of the sessions behind it, whatever runs them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from orchestration.health.report import HealthReport
from orchestration.metrics.meter import Meter
from orchestration.metrics.node_figures import Figures
from orchestration.session.exchange import (
    IngestBatch,
    IngestReply,
    LiveBatch,
    LiveCursor,
    Notice,
    StreamPosition,
    Welcome,
)
from orchestration.session.inputs import StreamSpec
from orchestration.speakers.corrections import CORRECTED_BY, Correction
from orchestration.storage.erasure_ports import ErasureReceipt, Person, PersonAudio
from orchestration.storage.upload_ports import UploadRow
from orchestration.storage.values import SessionRow, SessionSpec


class SessionLink(Protocol):
    """One running session, as the edge sees it.

    All raise Unavailable while the session's actor restarts; ask again.
    """

    async def connect(self, connection_id: str, streams: Sequence[StreamSpec]) -> Welcome | Notice:
        """Become the session's sender; the former one is told `taken_over`.

        Connection ids are the archive's: each is above those that were given before it.

        A session that has completed answers with the `ended` notice.

        Raises:
            BadAudio: a known stream came with another format, or too many streams.
        """
        ...

    async def open_stream(self, connection_id: str, stream: StreamSpec) -> StreamPosition:
        """Open one more stream."""
        ...

    async def push(self, connection_id: str, batch: IngestBatch) -> IngestReply:
        """Store a batch; answers when it is durable.

        Raises:
            TakenOver: a newer connection serves the session.
        """
        ...

    async def notice(self, connection_id: str) -> Notice:
        """Wait (some seconds at most) for something to tell this connection."""
        ...

    async def disconnect(self, connection_id: str) -> None:
        """The connection is gone; the session goes on waiting for another."""
        ...

    async def events(self, cursor: LiveCursor) -> LiveBatch:
        """Wait (some seconds at most) for events after the cursor."""
        ...


class Sessions(Protocol):
    """The running sessions."""

    async def create(
        self, spec: SessionSpec, upload: UploadRow | None = None
    ) -> tuple[SessionRow, bool]:
        """Create a session and give it an actor; the same spec again finds it (False).

        Args:
            upload: the file that the session is made for.

        Raises:
            SessionConflict: the id exists with another description.
            RepeatUnderWay: the file's key is another file's.
            LimitReached: as many sessions are open as the service allows.
        """
        ...

    async def link(self, session_id: str) -> SessionLink | None:
        """The running session, or None when it has ended for good.

        Raises:
            UnknownSession: no session has this id.
        """
        ...

    async def end(self, session_id: str) -> SessionRow:
        """End a session as if its sender had said `end`; returns at once with its new status."""
        ...

    async def configure(
        self, session_id: str, change: Callable[[SessionSpec], SessionSpec]
    ) -> SessionRow:
        """Give a running session the settings of its own and the languages that `change` makes of
        its description; stored first. What `change` raises changes nothing.

        Raises:
            SessionEnded: it does not run any more.
        """
        ...

    async def repair(self, session_id: str) -> int:
        """Hear again what an open or ended session lost though its audio is held.

        Returns how many ranges of samples that is; the work goes on after the answer.
        """
        ...

    async def correct(
        self, session_id: str, correction: Correction | None, corrected_by: str = CORRECTED_BY
    ) -> int:
        """Somebody says who spoke in an open or ended session; answers when that is stored.

        Without a correction the evidence there is names all lines anew. Returns how many segments
        have another name now.

        Raises:
            UnknownSpeaker: the correction is about nobody in the session.
            SpeakerConflict: it would make a circle.
            BadRequest: it is none.
            LimitReached: the session has as many corrections as it may.
        """
        ...

    async def delete(self, session_id: str) -> ErasureReceipt:
        """End the session's actor and remove all its rows and files."""
        ...

    async def erase_person(self, person: Person, audio: PersonAudio) -> ErasureReceipt:
        """Take a person out of all sessions.

        Raises:
            SessionRunning: they are in one that has not ended; nothing is erased.
        """
        ...

    async def health(self) -> HealthReport:
        """What the health monitor knows.

        Raises:
            Unavailable: the monitor is away.
        """
        ...


class Measures(Protocol):
    """Where this process's figures go, and where everybody's come from."""

    @property
    def meter(self) -> Meter:
        """For what this process counts as it happens."""
        ...

    def sample(self, fill: Callable[[Meter], None]) -> None:
        """Have `fill` called before each report, for what stands rather than happens."""
        ...

    async def figures(self) -> Mapping[str, Figures]:
        """The figures of all nodes by address; without those of a node that does not answer."""
        ...
