"""A stream's frames that the service has not yet acknowledged.

They wait here until their ack, are sent in order within the window, and go again from wherever a
welcome or a nack says (go-back-N). Pure: time is an argument, in monotonic nanoseconds.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from orchestration.client.wire import FRAME_HEADER, Origin, frame_bytes
from orchestration.errors import BadAudio, BadRequest, FrameConflict
from orchestration.session.inputs import StreamSpec
from orchestration.timing.units import NS_PER_SECOND

HELD_AUDIO_S = 150
"""Audio held per stream until acked. Beyond it new audio is skipped, which the service records as
a gap: what is numbered already cannot be taken back, for the service may hold what follows it."""

ROOM_AUDIO_S = 30
"""A sender that is not bound to real time waits while more than this is held."""

RESEND_SPEED = 4
"""Audio goes again at most this many times real time, so that a thousand bots that come back at
once do not drown the service that has just come back itself."""

REWIND_INTERVAL_NS = 1_000_000_000
"""A nack that repeats the last one is obeyed this long after it. Each frame under way past a hole
may bring a nack of its own; obeying each would send the whole window again for each."""

MAX_FRAME_BYTES = 65_536
"""With the header, until the service says what it takes; larger payloads are cut into frames."""


@dataclass(frozen=True, slots=True)
class HeldFrame:
    """A frame on this client's own count. `order` is its place among all that was ever added;
    it is not sent before fact number `after_fact` - 1, so that audio never overtakes a fact."""

    first_sample: int
    sample_count: int
    payload: bytes
    order: int
    after_fact: int

    def cut(self, sample_bytes: int, payload_bytes: int) -> Iterator["HeldFrame"]:
        """The frame in pieces of at most `payload_bytes`, a number of whole samples."""
        for start in range(0, len(self.payload), payload_bytes):
            piece = self.payload[start : start + payload_bytes]
            yield HeldFrame(
                self.first_sample + start // sample_bytes,
                len(piece) // sample_bytes,
                piece,
                self.order,
                self.after_fact,
            )


class StreamOutbox:
    """One stream's frames: numbered when added, held until acked."""

    def __init__(self, spec: StreamSpec, max_frame_bytes: int = MAX_FRAME_BYTES) -> None:
        self.spec = spec
        self.origin: Origin | None = None
        self.window = 0
        self.is_open = False
        self.acked = 0
        """Own number of the first frame that is not acked."""
        self.acked_sample = 0
        self.next_to_send = 0
        self.never_sent = 0
        """Own number of the first frame that was not sent yet, by any connection."""
        self.next_sample = 0
        self.sent_sample = 0
        self.skipped_samples = 0
        self._payload_bytes = self._most_payload(max_frame_bytes)
        self._held: deque[HeldFrame] = deque()
        self._held_samples = 0
        self._paced_below = 0
        self._pace_ns = 0
        self._rewound_to = -1
        self._rewound_ns = 0
        self._rewind_due_ns: int | None = None

    @property
    def next_seq(self) -> int:
        return self.acked + len(self._held)

    @property
    def limit_samples(self) -> int:
        return HELD_AUDIO_S * self.spec.format.sample_rate

    @property
    def has_room(self) -> bool:
        """Whether a sender that can wait should add more."""
        return self._held_samples <= ROOM_AUDIO_S * self.spec.format.sample_rate

    @property
    def all_sent(self) -> bool:
        return self.is_open and self.next_to_send == self.next_seq

    @property
    def last_seq(self) -> int:
        """The session's number of the last frame, -1 where there was none."""
        return (self.origin or Origin()).seq + self.next_seq - 1

    def add(self, payload: bytes, order: int, after_fact: int) -> int:
        """Take captured audio; returns how many of its samples were skipped for want of room."""
        sample_bytes = self.spec.format.sample_bytes
        if not payload or len(payload) % sample_bytes:
            raise BadAudio(
                f"Audio must be whole samples of {sample_bytes} bytes, and at least one.",
                {"stream": self.spec.stream, "sample_bytes": sample_bytes, "bytes": len(payload)},
            )
        samples = len(payload) // sample_bytes
        whole = HeldFrame(self.next_sample, samples, payload, order, after_fact)
        return sum(self._add_frame(one) for one in whole.cut(sample_bytes, self._payload_bytes))

    def _add_frame(self, frame: HeldFrame) -> int:
        if self._held_samples + frame.sample_count > self.limit_samples:
            self.skip(frame.sample_count)
            return frame.sample_count
        self._held.append(frame)
        self._held_samples += frame.sample_count
        self.next_sample += frame.sample_count
        return 0

    def limit_frames(self, max_frame_bytes: int) -> None:
        """The service takes frames of so many bytes, header included.

        What was never sent is cut anew; what was has its number, and stays as it is.
        """
        self._payload_bytes = self._most_payload(max_frame_bytes)
        held = list(self._held)
        numbered = max(0, self.never_sent - self.acked)
        self._held = deque(held[:numbered])
        for frame in held[numbered:]:
            self._held.extend(frame.cut(self.spec.format.sample_bytes, self._payload_bytes))

    def _most_payload(self, max_frame_bytes: int) -> int:
        """Bytes of as many whole samples as a frame may have, and of one at least."""
        sample_bytes = self.spec.format.sample_bytes
        room = (max_frame_bytes - FRAME_HEADER.size) // sample_bytes
        return max(1, room) * sample_bytes

    def skip(self, samples: int) -> None:
        """Capture missed this much; the next frame's first sample says so.

        Raises:
            BadRequest: less than nothing.
        """
        if samples < 0:
            raise BadRequest(
                f"Capture cannot miss {samples} samples.",
                {"stream": self.spec.stream, "samples": samples},
            )
        self.next_sample += samples
        self.skipped_samples += samples

    def place(self, next_seq: int, next_sample: int, window: int, *, again: bool) -> None:
        """The service says where it stands, in its own count; sending goes on from there.

        `again` is whether the connection replaces one that was lost: what is held is then paced.

        Raises:
            FrameConflict: the service stands where this client has never been, or has left.
        """
        if self.origin is None:
            self.origin = Origin(next_seq, next_sample)
        self.acknowledge(next_seq - 1, window)
        if self.acked != next_seq - self.origin.seq:
            raise self._conflict(next_seq)
        self.is_open = True
        self.next_to_send = self.acked
        self._rewind_due_ns = None
        self._rewound_to = -1
        self._paced_below = self.next_seq if again else 0

    def acknowledge(self, upto: int, window: int) -> None:
        """Forget frames up to the session's number `upto`.

        Raises:
            FrameConflict: a frame is acked that was never there.
        """
        acked = upto + 1 - (self.origin or Origin()).seq
        if acked > self.next_seq:
            raise self._conflict(upto + 1)
        self.window = window
        while self.acked < acked:
            frame = self._held.popleft()
            self._held_samples -= frame.sample_count
            self.acked_sample = frame.first_sample + frame.sample_count
            self.acked += 1
        self.next_to_send = max(self.next_to_send, self.acked)
        if self.acked > self._rewound_to:
            self._rewind_due_ns = None

    def _conflict(self, next_seq: int) -> FrameConflict:
        return FrameConflict(
            "The service's count of this stream does not fit what this bot has sent;"
            " another bot may have served the session: start the bot again.",
            {"stream": self.spec.stream, "next_seq": next_seq},
        )

    def rewind(self, expected: int, now_ns: int) -> None:
        """A nack: everything from the session's number `expected` on was dropped."""
        target = expected - (self.origin or Origin()).seq
        if not self.acked <= target < self.next_to_send:
            return
        if target == self._rewound_to and now_ns < self._rewound_ns + REWIND_INTERVAL_NS:
            self._rewind_due_ns = self._rewound_ns + REWIND_INTERVAL_NS
            return
        self._rewound_to = target
        self._rewound_ns = now_ns
        self._rewind_due_ns = None
        self._paced_below = max(self._paced_below, self.next_to_send)
        self.next_to_send = target

    def close(self) -> None:
        """The connection is gone: nothing goes out until the next `place`."""
        self.is_open = False
        self._rewind_due_ns = None

    def due(self, now_ns: int, facts_sent: int) -> HeldFrame | None:
        """The frame that may go out now, if there is one; `sent` takes it."""
        if self._rewind_due_ns is not None and now_ns >= self._rewind_due_ns:
            self._rewound_ns = now_ns
            self._rewind_due_ns = None
            self.next_to_send = max(self.acked, self._rewound_to)
        ready = self._unpaced(facts_sent)
        if ready is None or (self._is_paced and now_ns < self._pace_ns):
            return None
        return ready

    def sent(self, frame: HeldFrame, now_ns: int) -> bytes:
        """Take what `due` gave, as the bytes to send."""
        if self._is_paced:
            duration_ns = frame.sample_count * NS_PER_SECOND // self.spec.format.sample_rate
            self._pace_ns = max(self._pace_ns, now_ns) + duration_ns // RESEND_SPEED
        origin = self.origin or Origin()
        seq = origin.seq + self.next_to_send
        self.next_to_send += 1
        self.never_sent = max(self.never_sent, self.next_to_send)
        self.sent_sample = max(self.sent_sample, frame.first_sample + frame.sample_count)
        first_sample = origin.sample + frame.first_sample
        return frame_bytes(self.spec.stream, seq, first_sample, frame.payload)

    def wake_ns(self, facts_sent: int) -> int | None:
        """When `due` may have something that it has not now, if time alone decides."""
        times = [self._rewind_due_ns] if self._rewind_due_ns is not None else []
        if self._is_paced and self._unpaced(facts_sent) is not None:
            times.append(self._pace_ns)
        return min(times, default=None)

    @property
    def _is_paced(self) -> bool:
        return self.next_to_send < self._paced_below

    def _unpaced(self, facts_sent: int) -> HeldFrame | None:
        index = self.next_to_send - self.acked
        if not self.is_open or index >= min(self.window, len(self._held)):
            return None
        frame = self._held[index]
        return frame if frame.after_fact <= facts_sent else None
