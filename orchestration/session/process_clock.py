"""The clocks of this process, in the units of a session."""

import time


def now_ms() -> int:
    """Milliseconds of the monotonic clock."""
    return time.monotonic_ns() // 1_000_000


def unix_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000
