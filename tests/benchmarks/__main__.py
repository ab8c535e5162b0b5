"""All benchmarks, one after the other, each in a process of its own.

python -m tests.benchmarks [NAME ...]
"""

import subprocess
import sys

BENCHMARKS = (
    "audio",
    "stages",
    "uploads",
    "clock",
    "clock_websocket",
    "storage",
    "progress",
    "timing",
    "health_rps",
    "gateway",
    "balancing",
    "session_actor",
    "durable_ingest",
    "speech_seams",
    "fan_out",
    "meeting",
)


def main() -> int:
    chosen = sys.argv[1:] or BENCHMARKS
    unknown = [name for name in chosen if name not in BENCHMARKS]
    if unknown:
        print(f"No benchmark {', '.join(unknown)}: there are {', '.join(BENCHMARKS)}.")
        return 2
    failed = 0
    for name in chosen:
        print(f"\n== {name}", flush=True)
        failed += subprocess.call([sys.executable, "-m", f"tests.benchmarks.bench_{name}"]) != 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
