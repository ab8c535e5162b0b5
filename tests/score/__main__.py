"""How well a transcript says who spoke, by what a meeting platform says and how late.

    python -m tests.score [--strict] [--seeds N] [--clips FOLDER] [--hear]

The checked-in meetings pass through a real session, with what whisper heard of them once and with
the events of a platform simulated from their exact turns; each condition with random parts is
played with several seeds. Clips of real meetings, if they are there, are scored by time alone. Then
streams' clocks are judged after 300 s of simulated arrivals.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.bench_clock import accuracy
from tests.benchmarks.figures import machine_line
from tests.score.costs import measure
from tests.score.hearing import from_kept, hear, hear_voices, kept_answers, with_voices
from tests.score.known_meetings import MEETINGS, KnownMeeting, load
from tests.score.platform import BY_EVENTS, CONDITIONS, WITH_VOICES, Condition
from tests.score.replay import Answer
from tests.score.scoring import Score, score
from tests.score.stand_in import load_clips, says_stand_ins
from tests.score.tables import LEGEND, best_line, costs_lines, line, meeting_head
from tests.score.voices import with_heard_voices

SEEDS = 10


def main() -> int:
    parser = argparse.ArgumentParser(description="Scores the names in transcripts.")
    parser.add_argument("--strict", action="store_true", help="end with 1 when a bar is missed")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="of conditions that are random")
    parser.add_argument("--clips", type=Path, help="folder of real meetings: *.wav and *.rttm")
    parser.add_argument("--hear", action="store_true", help="hear the meetings anew, and keep it")
    options = parser.parse_args()
    print(machine_line())
    if options.hear:
        asyncio.run(_hear_all())
    print(LEGEND)
    missed = asyncio.run(_score_all(options.seeds, options.clips))
    for miss in missed:
        print(miss)
    return 1 if missed and options.strict else 0


async def _hear_all() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name in MEETINGS:
            began_s = time.monotonic()
            meeting = load(name)
            await hear(meeting, Path(folder))
            await hear_voices(meeting)
            print(f"{name} heard in {time.monotonic() - began_s:.0f} s")


async def _score_all(seeds: int, clips: Path | None) -> list[str]:
    """Prints all tables; returns the bars that were missed."""
    missed: list[str] = []
    for name in MEETINGS:
        meeting = load(name)
        answers = kept_answers(name)
        answer, voiced = from_kept(answers), from_kept(with_voices(name, answers))
        missed += await _table(meeting, CONDITIONS, answer, seeds, voiced)
    for meeting in load_clips(clips) if clips else ():
        answer = says_stand_ins(meeting)
        heard = await with_heard_voices(meeting, answer)
        missed += await _table(meeting, (*BY_EVENTS, *WITH_VOICES), answer, seeds, heard)
    print("\nclocks after 300 s", flush=True)
    missed += accuracy(range(seeds))
    print(costs_lines(await measure(load(MEETINGS[-1]))), flush=True)
    print(f"\n{len(missed)} bars missed" if missed else "\nall bars met")
    return missed


async def _table(
    meeting: KnownMeeting,
    conditions: Sequence[Condition],
    answer: Answer,
    seeds: int,
    voiced: Answer | None = None,
) -> list[str]:
    print(meeting_head(meeting), flush=True)
    scores: list[Score] = []
    for condition in conditions:
        heard = voiced if condition.has_voices and voiced else answer
        scores.append(await score(meeting, condition, heard, seeds))
        print(line(scores[-1]), flush=True)
    print(best_line(scores), flush=True)
    return [
        f"{meeting.name}, {one.condition.name}: {miss}" for one in scores for miss in one.misses
    ]


if __name__ == "__main__":
    sys.exit(main())
