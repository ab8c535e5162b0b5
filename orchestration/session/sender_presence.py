"""Whether a session's sender is there, and how long the session has waited for it."""

from orchestration.session.status import TAKING_AUDIO, SessionStatus


class SenderPresence:
    """A session begins without its sender."""

    def __init__(self, now_ms: int) -> None:
        self._gone_since_ms: int | None = now_ms

    @property
    def is_awaited(self) -> bool:
        """Whether nobody sends, though somebody should."""
        return self._gone_since_ms is not None

    def connected(self) -> None:
        """A sender is there, or none is needed any more."""
        self._gone_since_ms = None

    def disconnected(self, now_ms: int) -> None:
        """The sender is gone."""
        self._gone_since_ms = now_ms

    def waited_ms(self, status: SessionStatus, now_ms: int) -> int:
        """How long the session waits; 0 while a sender is there, or none is needed."""
        if self._gone_since_ms is None or status not in TAKING_AUDIO:
            return 0
        return now_ms - self._gone_since_ms

    def is_given_up(
        self, status: SessionStatus, is_complete: bool, now_ms: int, abandoned_after_ms: int
    ) -> bool:
        """Whether the session has waited as long as it may; `is_complete` once all audio is there
        that was announced."""
        waits = status in TAKING_AUDIO or (status == "ending" and not is_complete)
        return (
            waits
            and self._gone_since_ms is not None
            and now_ms - self._gone_since_ms >= abandoned_after_ms
        )
