"""The clocks of this process in whole milliseconds."""

import time


def monotonic_ms() -> int:
    """Of a clock that never goes back; its zero means nothing."""
    return time.monotonic_ns() // 1_000_000


def unix_time_ms() -> int:
    """Since 1970, by the machine's wall clock."""
    return time.time_ns() // 1_000_000
