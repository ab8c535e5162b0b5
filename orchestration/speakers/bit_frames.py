"""Time as sets of frames of 100 ms, each set one whole number.

Ten minutes take 750 bytes, and what two sets have in common is one operation.
"""

FRAME_NS = 100_000_000


def bits(start: int, end: int) -> int:
    """The frames from `start` up to `end`."""
    return ((1 << (end - start)) - 1) << start if end > start else 0


def first_frame(start_ns: int) -> int:
    return start_ns // FRAME_NS


def end_frame(end_ns: int) -> int:
    """The frame after the last that a span touches."""
    return -(-end_ns // FRAME_NS)


def runs_of(frames: int, length: int) -> int:
    """How many unbroken runs of at least `length` frames there are."""
    eroded, done = frames, 1
    while done < length and eroded:
        step = min(done, length - done)
        eroded &= eroded >> step
        done += step
    return (eroded & ~(eroded << 1)).bit_count()
