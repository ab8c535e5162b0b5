"""The long form of the checks of the API's contract.

python -m tests.conformance [EXAMPLES]

EXAMPLES (200 unless said) is how many requests schemathesis makes up for each operation, and a
tenth of how many messages and frames are made up for each WebSocket protocol.
"""

import asyncio
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conformance import bad_frames
from tests.conformance.neighbours import PROTOCOLS, Neighbourhood, neighbourhood
from tests.conformance.raw_websocket import BINARY, raw_frame, text
from tests.conformance.schemas import check_schemas

PHASES = "examples,coverage,fuzzing,stateful"


def main() -> int:
    examples = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    with tempfile.TemporaryDirectory() as directory:
        failed = check_document(Path(directory), examples)
    with tempfile.TemporaryDirectory() as directory, neighbourhood(Path(directory)) as street:
        failed += check_sockets(street, 10 * examples)
    return 1 if failed else 0


def check_document(work_dir: Path, examples: int) -> int:
    """Prints what schemathesis found; returns the failures."""
    began_s = time.monotonic()
    run = asyncio.run(check_schemas(work_dir, PHASES, examples, seed=1))
    print(
        f"schemathesis: {run.operations} operations, {run.cases} cases, {run.failures} failures, "
        f"{run.errors} errors, {time.monotonic() - began_s:.0f} s",
        flush=True,
    )
    if not run.is_clean:
        print(run.report)
    return run.failures + run.errors


def check_sockets(street: Neighbourhood, examples: int) -> int:
    """Prints each failure, and how many cases of each kind ran and failed; returns the failures."""
    counted: Counter[str] = Counter()
    failed: Counter[str] = Counter()

    def judged(name: str, judge: Callable[[], None]) -> None:
        counted[name] += 1
        try:
            judge()
        # Whatever a case ends in is its failure, and the next one is asked all the same: hypothesis
        # is told of none, or it would repeat the case against a service that has moved on.
        except Exception as failure:
            failed[name] += 1
            print(f"{name}: {failure!r}"[:2000], flush=True)

    for protocol in PROTOCOLS:
        for case in bad_frames.FRAME_CASES:
            judged(f"{protocol}: frames", lambda: street.judge_frames(protocol, case))  # noqa: B023
    made_up(street, examples, judged)
    for name, count in counted.items():
        print(f"{name}: {count} cases, {failed[name]} failures", flush=True)
    print(f"WebSockets: {counted.total()} cases, {failed.total()} failures", flush=True)
    return failed.total()


def made_up(
    street: Neighbourhood, examples: int, judged: Callable[[str, Callable[[], None]], None]
) -> None:
    """Messages and frames that hypothesis makes up."""
    bot = bad_frames.mutated(bad_frames.INGEST_MESSAGES) | bad_frames.no_json
    viewer = bad_frames.mutated(bad_frames.LIVE_MESSAGES) | bad_frames.no_json
    kinds: dict[str, tuple[st.SearchStrategy[bytes], Callable[[bytes], None]]] = {
        "ingest: first messages": (bot.map(text), street.judge_first_message),
        "ingest: messages": (bot.map(text), lambda one: street.judge_message("ingest", one)),
        "ingest: audio frames": (
            bad_frames.audio_frames.map(lambda data: raw_frame(BINARY, data)),
            lambda one: street.judge_message("ingest", one),
        ),
        "live: messages": (viewer.map(text), lambda one: street.judge_message("live", one)),
        "socket_io: packets": (
            bad_frames.socket_io_packets().map(text),
            lambda one: street.judge_message("socket_io", one),
        ),
    }
    for protocol in PROTOCOLS:
        kinds[f"{protocol}: random frames"] = (
            bad_frames.random_frames,
            lambda one, protocol=protocol: street.judge_random_frame(protocol, one),  # type: ignore[misc]
        )
    for name, (strategy, judge) in kinds.items():

        @settings(
            max_examples=examples,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        )
        @given(strategy)
        def run(data: bytes) -> None:
            judged(name, lambda: judge(data))  # noqa: B023

        run()


if __name__ == "__main__":
    sys.exit(main())
