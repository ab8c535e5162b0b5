"""What it costs to know who speaks and when: CPU, and memory of a long meeting.

Both are taken of whole sessions that play a known meeting again and again, so that they hold
whatever the correlator and the clock become.
"""

from __future__ import annotations

import cProfile
import gc
import pstats
import random
import tracemalloc
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orchestration
from tests.score.known_meetings import KnownMeeting
from tests.score.platform import ALL_AT_ONCE, facts
from tests.score.replay import replay
from tests.score.stand_in import repeated, says_stand_ins, with_stand_ins

HOUR_S = 3600
CPU_S = 600
"""Ten minutes of meeting are enough to tell the cost of one second."""

PRODUCT = str(Path(orchestration.__file__).parent)
SPEAKERS, TIMING = (str(Path(PRODUCT) / name) for name in ("speakers", "timing"))


@dataclass(frozen=True, slots=True)
class Costs:
    """For one session with one stream. The CPU is somewhat high: it was watched by a profiler."""

    speakers_cpu_us: float
    """Microseconds of CPU for each second of audio, of everything called in it."""
    timing_cpu_us: float
    session_bytes: int
    """What a session holds more after its second hour than after its first."""
    speakers_bytes: int
    """Of that, what code of speakers/ allocated."""
    timing_bytes: int
    """And code of timing/: moments too, which speakers/ keeps."""


async def measure(meeting: KnownMeeting) -> Costs:
    """Play a meeting for ten minutes, then for one and two hours."""
    short = _lasting(meeting, CPU_S)
    profile = cProfile.Profile()
    said = facts(short, ALL_AT_ONCE, random.Random(0))
    answer = says_stand_ins(short)
    profile.enable()
    await replay(short, said, answer)
    profile.disable()
    stats: Any = pstats.Stats(profile)
    first, second = await _held(meeting)
    return Costs(
        _entered_us(stats, SPEAKERS) / short.duration_s,
        _entered_us(stats, TIMING) / short.duration_s,
        *(later - sooner for sooner, later in zip(first, second, strict=True)),
    )


def _lasting(meeting: KnownMeeting, length_s: float) -> KnownMeeting:
    return with_stand_ins(repeated(meeting, max(1, round(length_s / meeting.duration_s))))


def _entered_us(stats: Any, package: str) -> float:
    """CPU from where a package's functions are called by others until they return."""
    entered_s = 0.0
    for (file, _line, _name), (*_, callers) in stats.stats.items():
        if file.startswith(package):
            entered_s += sum(
                caller[3] for where, caller in callers.items() if not where[0].startswith(package)
            )
    return entered_s * 1e6


async def _held(meeting: KnownMeeting) -> list[tuple[int, int, int]]:
    """Bytes that a session holds after one hour and after two: in all, by speakers/, by timing/."""
    long = _lasting(meeting, 2 * HOUR_S)
    said = facts(long, ALL_AT_ONCE, random.Random(0))
    answer = says_stand_ins(long)
    looks = [len(long.pcm), len(long.pcm) // 2]
    held: list[tuple[int, int, int]] = []

    def look(sample: int) -> None:
        if looks and sample >= looks[-1]:
            looks.pop()
            gc.collect()
            snapshot = tracemalloc.take_snapshot()
            session, speakers, timing = (_sum(snapshot, one) for one in (PRODUCT, SPEAKERS, TIMING))
            held.append((session, speakers, timing))

    tracemalloc.start()
    try:
        await replay(long, said, answer, keeps_words=False, watch=look)
    finally:
        tracemalloc.stop()
    return held


def _sum(snapshot: tracemalloc.Snapshot, folder: str) -> int:
    return sum(
        one.size
        for one in snapshot.statistics("filename")
        if one.traceback[0].filename.startswith(folder)
    )
