"""All of a bot's streams: which there are, and whose frame goes next."""

from collections.abc import Iterator

from orchestration.client.outbox import MAX_FRAME_BYTES, HeldFrame, StreamOutbox
from orchestration.client.wire import Origin
from orchestration.errors import BadRequest
from orchestration.session.inputs import StreamSpec


class StreamOutboxes:
    """Outboxes by their streams' numbers, in the order in which they were opened."""

    def __init__(self) -> None:
        self._by_stream: dict[int, StreamOutbox] = {}
        self._max_frame_bytes = MAX_FRAME_BYTES

    def open(self, spec: StreamSpec) -> None:
        """One more.

        Raises:
            BadRequest: its number is another stream's.
        """
        if spec.stream in self._by_stream:
            raise BadRequest(
                f"There is a stream {spec.stream} already: give each its number.",
                {"stream": spec.stream},
            )
        self._by_stream[spec.stream] = StreamOutbox(spec, self._max_frame_bytes)

    def limit_frames(self, max_frame_bytes: int) -> None:
        """The service takes frames of so many bytes, header included, of all streams."""
        self._max_frame_bytes = max_frame_bytes
        for outbox in self:
            outbox.limit_frames(max_frame_bytes)

    def __getitem__(self, stream: int) -> StreamOutbox:
        """Raises BadRequest where there is no such stream."""
        if stream not in self._by_stream:
            raise BadRequest(
                f"This bot has no stream {stream}: open it first.",
                {"stream": stream, "streams": list(self._by_stream)},
            )
        return self._by_stream[stream]

    def __contains__(self, stream: object) -> bool:
        return stream in self._by_stream

    def __iter__(self) -> Iterator[StreamOutbox]:
        return iter(self._by_stream.values())

    @property
    def origins(self) -> dict[int, Origin]:
        """Of the streams that the service has placed."""
        return {one.spec.stream: one.origin for one in self if one.origin is not None}

    @property
    def all_sent(self) -> bool:
        return all(one.all_sent for one in self)

    def next_frame(self, now_ns: int, facts_sent: int) -> bytes | None:
        """Of the frames that may go out now, the one that was captured first."""
        due: list[tuple[int, StreamOutbox, HeldFrame]] = []
        for outbox in self:
            frame = outbox.due(now_ns, facts_sent)
            if frame is not None:
                due.append((frame.order, outbox, frame))
        if not due:
            return None
        _, outbox, frame = min(due, key=lambda one: one[0])
        return outbox.sent(frame, now_ns)
