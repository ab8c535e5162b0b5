"""What of a sender's stream is durable, and what to say to each frame.

The ledger judges a frame without changing; `accept` moves it on once the frame is committed. So a
commit that fails leaves nothing to undo, and the same frame may simply come again.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestration.audio.pcm import PcmFormat
from orchestration.errors import BadAudio, BadRequest, FrameConflict, FramesAfterEnd
from orchestration.session.inputs import AudioFrame
from orchestration.storage.values import JournalFrame

REMEMBERED_HASHES = 1000
"""Frames per stream whose content is remembered, to tell a repeat from a conflict."""

MAX_SKIP_S = 3600
"""A sample clock that jumps further ahead is broken, not a capture that skipped."""


def content_hash(first_sample: int, payload: bytes) -> bytes:
    """16 bytes that stand for a frame's content."""
    digest = hashlib.blake2b(payload, digest_size=16)
    digest.update(first_sample.to_bytes(8, "big"))
    return digest.digest()


@dataclass(slots=True)
class StreamLedger:
    """One stream's sequence: `next_seq` and `next_sample` follow the last durable frame."""

    stream: int
    format: PcmFormat
    next_seq: int = 0
    next_sample: int = 0
    last_seq: int | None = None
    hashes: OrderedDict[int, bytes] = field(default_factory=OrderedDict)

    @property
    def is_complete(self) -> bool:
        """Whether everything that the sender announced is durable."""
        return self.last_seq is not None and self.next_seq > self.last_seq

    def batch(self) -> "LedgerBatch":
        """Start judging frames that are to be committed together."""
        return LedgerBatch(self)

    def accept(self, frames: list[JournalFrame]) -> None:
        """These frames are durable now."""
        for frame in frames:
            self.next_seq = frame.seq + 1
            self.next_sample = frame.first_sample + frame.sample_count
            self.hashes[frame.seq] = frame.content_hash
        while len(self.hashes) > REMEMBERED_HASHES:
            self.hashes.popitem(last=False)


class LedgerBatch:
    """Frames of one stream judged in order, on top of what is durable."""

    def __init__(self, ledger: StreamLedger) -> None:
        self._ledger = ledger
        self._next_seq = ledger.next_seq
        self._next_sample = ledger.next_sample
        self._new_hashes: dict[int, bytes] = {}
        self.last_seq = ledger.last_seq
        """Where the stream ends, once that is said."""
        self.frames: list[JournalFrame] = []
        self.expected: int | None = None
        """The seq to send again from, when a frame came out of order."""

    @property
    def ledger(self) -> StreamLedger:
        return self._ledger

    def judge(self, frame: AudioFrame, received_ns: int) -> None:
        """Take the frame, drop it as a repeat, or note where the sender must go back to.

        `received_ns` is when it reached the service, in Unix nanoseconds.

        Raises:
            BadAudio: not whole samples, or a sample clock that goes back or leaps.
            FrameConflict: another content came under this seq before.
            FramesAfterEnd: the stream's announced end lies before the frame.
        """
        digest = content_hash(frame.first_sample, frame.payload)
        if frame.seq < self._next_seq:
            self._check_repeat(frame, digest)
            return
        if self.last_seq is not None and frame.seq > self.last_seq:
            raise FramesAfterEnd(
                f"Stream {frame.stream} ended with frame {self.last_seq}.",
                {"stream": frame.stream, "seq": frame.seq, "last_seq": self.last_seq},
            )
        if frame.seq > self._next_seq:
            if self.expected is None:
                self.expected = self._next_seq
            return
        sample_count = self._sample_count(frame)
        self.frames.append(
            JournalFrame(
                frame.stream,
                frame.seq,
                frame.first_sample,
                sample_count,
                digest,
                frame.payload,
                received_ns,
            )
        )
        self._new_hashes[frame.seq] = digest
        self._next_seq += 1
        self._next_sample = frame.first_sample + sample_count
        self.expected = None

    def judge_end(self, last_seq: int | None) -> int:
        """Where the stream ends, if its last frame is said to be this one; None: where it is, or
        where it was said to end before.

        Raises:
            BadRequest: that contradicts what is known.
        """
        if last_seq is None:
            return self._next_seq - 1 if self.last_seq is None else self.last_seq
        if last_seq < self._next_seq - 1 or self.last_seq not in (None, last_seq):
            stream = self._ledger.stream
            raise BadRequest(
                f"Stream {stream} cannot end at frame {last_seq}: "
                "frames beyond it, or another end, were announced before.",
                {"stream": stream, "next_seq": self._next_seq, "last_seq": self.last_seq},
            )
        return last_seq

    def _check_repeat(self, frame: AudioFrame, digest: bytes) -> None:
        known: Mapping[int, bytes] = self._ledger.hashes
        first = self._new_hashes.get(frame.seq, known.get(frame.seq))
        if first is not None and first != digest:
            raise FrameConflict(
                f"Frame {frame.seq} of stream {frame.stream} came before with other content; "
                "the first stands.",
                {"stream": frame.stream, "seq": frame.seq},
            )

    def _sample_count(self, frame: AudioFrame) -> int:
        fmt = self._ledger.format
        facts = {"stream": frame.stream, "seq": frame.seq}
        sample_count, rest = divmod(len(frame.payload), fmt.sample_bytes)
        if rest or not sample_count:
            raise BadAudio(
                f"A frame of {len(frame.payload)} bytes is not whole samples "
                f"of {fmt.sample_bytes} bytes.",
                {**facts, "bytes": len(frame.payload), "sample_bytes": fmt.sample_bytes},
            )
        skipped = frame.first_sample - self._next_sample
        if skipped < 0 or skipped > MAX_SKIP_S * fmt.sample_rate:
            raise BadAudio(
                "The sample clock went back." if skipped < 0 else "The sample clock leapt ahead.",
                {
                    **facts,
                    "first_sample": frame.first_sample,
                    "expected_sample": self._next_sample,
                    "max_skip_s": MAX_SKIP_S,
                },
            )
        return sample_count
