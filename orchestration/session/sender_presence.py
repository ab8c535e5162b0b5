"""Whether a session's sender is there, and how long the session has waited for it."""

from orchestration.session.status import TAKING_AUDIO, SessionStatus

SILENT_AFTER_MS = 30_000
"""A sender calls every 10 s at least, be it to hear whether there is something to tell it. One that
has not for so long is gone: a process that is killed takes no leave of its sessions."""

FILE_AWAITED_MS = 30_000
"""A session that was made for a file waits no longer for the rest of it: a bot comes back, but
nobody goes on with a file in another process."""


class SenderPresence:
    """A session begins without its sender."""

    def __init__(self, now_ms: int, *, is_upload: bool = False) -> None:
        """`is_upload`: the session was made for a file."""
        self._is_upload = is_upload
        self._gone_since_ms: int | None = now_ms
        self._called_ms = now_ms

    @property
    def is_awaited(self) -> bool:
        """Whether nobody sends, though somebody should."""
        return self._gone_since_ms is not None

    def connected(self, now_ms: int) -> None:
        """A sender is there, or none is needed any more."""
        self._gone_since_ms = None
        self._called_ms = now_ms

    def called(self, now_ms: int) -> None:
        """The sender that is there is so still."""
        self._called_ms = now_ms

    def disconnected(self, now_ms: int) -> None:
        """The sender is gone."""
        self._gone_since_ms = now_ms

    def recovered(self, now_ms: int) -> None:
        """Until now nobody could have come, be the session awaiting somebody."""
        if self._gone_since_ms is not None:
            self._gone_since_ms = now_ms

    def waited_ms(self, status: SessionStatus, now_ms: int) -> int:
        """How long the session waits; 0 while a sender is there, or none is needed."""
        return self._absent_ms(now_ms) if status in TAKING_AUDIO else 0

    def is_given_up(
        self, status: SessionStatus, is_complete: bool, now_ms: int, abandoned_after_ms: int
    ) -> bool:
        """Whether the session has waited as long as it may; `is_complete` once all audio is there
        that was announced."""
        waits = status in TAKING_AUDIO or (status == "ending" and not is_complete)
        most_ms = (
            min(abandoned_after_ms, FILE_AWAITED_MS) if self._is_upload else abandoned_after_ms
        )
        return waits and not self._is_there(now_ms) and self._absent_ms(now_ms) >= most_ms

    def _is_there(self, now_ms: int) -> bool:
        return self._gone_since_ms is None and now_ms - self._called_ms < SILENT_AFTER_MS

    def _absent_ms(self, now_ms: int) -> int:
        if self._is_there(now_ms):
            return 0
        return now_ms - (self._called_ms if self._gone_since_ms is None else self._gone_since_ms)
