"""Every format and every hostile file through POST /api/audio/upload: what came of it and its cost.

    python -m tests.benchmarks.bench_uploads

The API runs over doubles behind it, so that the figures are those of decoding. Peak memory is the
decoding process's resident set (VmHWM), looked at every 2 ms while it runs.
"""

import asyncio
import contextlib
import os
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import aiohttp

from orchestration.services.decoding import SCRIPT
from tests.benchmarks.figures import machine_line, row
from tests.data.make_files import FORMATS, hostile_files, tone_file
from tests.data.make_lying_files import lying_files
from tests.doubles.api_server import ApiServer, api_server

LOOK_EVERY_S = 0.002
MIB = 1024 * 1024
BAR_S = 10.0
BAR_MIB = 512
"""`DecodeLimits.max_memory_bytes`, which is of address space; what is resident is less."""
NAMES = ("../../etc/passwd", "/dev/zero", "C:\\boot.ini", "x" * 5000, "http://127.0.0.1/a.m3u8")
"""What senders call their files: it is shown, and never opened."""


@dataclass(frozen=True)
class Outcome:
    """Of one upload. `peak_bytes` is 0 where no process was needed."""

    name: str
    file_bytes: int
    status: int
    said: str
    seconds: float
    peak_bytes: int


class DecoderWatch:
    """The largest resident set of the decoding processes that this process starts."""

    def __init__(self) -> None:
        self.peak_bytes = 0
        self._children = Path(f"/proc/self/task/{os.getpid()}/children")
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "DecoderWatch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(LOOK_EVERY_S):
            for pid in self._children.read_text().split():
                with contextlib.suppress(OSError):
                    self._look_at(Path("/proc") / pid)

    def _look_at(self, process: Path) -> None:
        # Until it has its own program, the memory it shows is its parent's.
        if str(SCRIPT).encode() not in (process / "cmdline").read_bytes():
            return
        for line in (process / "status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                self.peak_bytes = max(self.peak_bytes, int(line.split()[1]) * 1024)


async def uploaded(server: ApiServer, name: str, file: bytes, filename: str = "a.bin") -> Outcome:
    """One file by HTTP, as a form."""
    data = aiohttp.FormData(quote_fields=False)
    data.add_field("file", file, filename=filename, content_type="application/octet-stream")
    began_s = time.perf_counter()
    with DecoderWatch() as watch:
        status, body = await server.json("POST", "/api/audio/upload", data=data)
    seconds = time.perf_counter() - began_s
    facts = body.get("audio_metadata")
    if isinstance(facts, dict):
        said = f"{facts['duration']:g} s of {facts['codec']} in {facts['container']}"
        if filename != "a.bin":
            said = f"heard, as {str(body['filename'])[:40]!r}"
    else:
        said = (
            f"{body.get('code')}: {body.get('reason') or body.get('limit') or body.get('detail')}"
        )
    return Outcome(name, len(file), status, said, seconds, watch.peak_bytes)


def printed(one: Outcome) -> None:
    cost = f"{one.seconds:6.2f} s {one.peak_bytes / MIB:6.0f} MiB"
    print(f"{one.name:<30} {one.file_bytes:>9} {cost}  {one.status} {one.said}", flush=True)


async def all_of(server: ApiServer, files: Mapping[str, Callable[[], bytes]]) -> list[Outcome]:
    outcomes = []
    for name, make in files.items():
        outcomes.append(await uploaded(server, name, make()))
        printed(outcomes[-1])
    return outcomes


async def measure(data_dir: Path) -> None:
    visits: list[bytes] = []

    async def visited(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visits.append(await reader.read(1000))
        writer.close()

    listener = await asyncio.start_server(visited, "127.0.0.1", 0)
    reference = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/a.wav"
    async with listener, api_server(data_dir) as server:
        print(f"Uploads by HTTP; {machine_line()}")
        print(f"{'file':<30} {'bytes':>9} {'time':>8} {'peak':>10}  answer")
        formats = await all_of(
            server, {name: partial(tone_file, form) for name, form in FORMATS.items()}
        )
        hostile = await all_of(server, {**hostile_files(reference), **lying_files(reference)})
        wav = tone_file(FORMATS["wav"])
        named = [await uploaded(server, f"named {name[:20]!r}", wav, name) for name in NAMES]
        for one in named:
            printed(one)
    everything = [*formats, *hostile, *named]
    refused = sum(one.status in (413, 415) for one in hostile)
    heard = sum(one.status == 200 for one in hostile)
    row("formats heard", f"{sum(one.status == 200 for one in formats)} of {len(FORMATS)}")
    row("hostile files refused, heard", f"{refused}, {heard} of {len(hostile)}")
    row("answers without a clear error", f"{len(hostile) - refused - heard}", "0")
    row("visits to the address in files", f"{len(visits)}", "0")
    row("slowest answer", f"{max(one.seconds for one in everything):.2f} s", f"{BAR_S:g} s")
    peak = max(one.peak_bytes for one in everything) / MIB
    row("peak of a decoding process", f"{peak:.0f} MiB", f"{BAR_MIB} MiB")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        asyncio.run(measure(Path(folder)))


if __name__ == "__main__":
    main()
