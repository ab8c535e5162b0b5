"""The demo meeting through the running service, in real time, as a live viewer gets it.

    python -m tests.benchmarks.bench_meeting

One session with whisper base against one single pass of the same engine over the file; then two
sessions at once on base, and four on tiny.en. A word's latency runs from its end on the sender's
clock to the moment at which a viewer has it in a final segment.
"""

import asyncio
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jiwer
import soundfile

from orchestration.client.api import OrchestrationClient
from orchestration.client.ingest import BotConnection
from orchestration.client.live import watch
from orchestration.client.player import AudioTrack, load_speaker_events, play
from orchestration.services.embedded_whisper import EmbeddedWhisper
from orchestration.services.ports import TranscriptionRequest
from tests.benchmarks.figures import machine_line, p50_p95, row
from tests.scoring import (
    Turn,
    Word,
    normalise_text,
    share_of_words_named_right,
    word_error_rate,
)
from tests.service import service

DATA = Path(__file__).parents[1] / "data"
THREADS = 2
BAR_POINTS = 1.0
BAR_NAMED = 95.0


@dataclass
class Watched:
    """What a viewer of one session saw, and when."""

    words: list[Word] = field(default_factory=list)
    latencies_s: list[float] = field(default_factory=list)
    last_lag_s: float = 0.0
    backlog_s: float = 0.0
    """From the last sample to `ended`."""
    coverage: dict[str, Any] = field(default_factory=dict)
    status: str = ""

    @property
    def text(self) -> str:
        return " ".join(word[0] for word in self.words)


def spoken_turns() -> list[Turn]:
    meeting = json.loads((DATA / "meeting.json").read_text(encoding="utf-8"))
    names = {one["id"]: one["name"] for one in meeting["participants"]}
    return [
        (names[one["participant_id"]], one["start_sample"], one["end_sample"], one["text"])
        for one in meeting["turns"]
    ]


def word_error_points(text: str) -> float:
    """Word error rate in per cent."""
    return 100 * word_error_rate(" ".join(turn[3] for turn in spoken_turns()), text).rate


def mistakes(text: str) -> str:
    """What was said and what was written instead, wherever they differ."""
    said = normalise_text(" ".join(turn[3] for turn in spoken_turns()))
    written = normalise_text(text)
    compared = jiwer.process_words(" ".join(said), " ".join(written))
    return "; ".join(
        f"{' '.join(said[one.ref_start_idx : one.ref_end_idx]) or '-'}"
        f" > {' '.join(written[one.hyp_start_idx : one.hyp_end_idx]) or '-'}"
        for one in compared.alignments[0]
        if one.type != "equal"
    )


async def view(client: OrchestrationClient, session_id: str, seen: Watched, began_s: float) -> None:
    """Note every final segment as it comes; names are those at the end."""
    segments: dict[str, dict[str, Any]] = {}
    message: Any
    async for message in watch(client, session_id, after=0):
        now_s = time.monotonic()
        match message:
            case {"type": "segment", "seq": _, "segment": {"segment_id": str(name)} as segment}:
                if name not in segments:
                    seen.latencies_s += [now_s - began_s - one["end"] for one in segment["words"]]
                segments[name] = segment
            case {"type": "speaker", "speaker": speaker, "segments": list(named)}:
                for one in named:
                    segments[one["segment_id"]]["speaker"] = speaker
            case {"type": "lag", "seconds": float(lag_s)}:
                seen.last_lag_s = lag_s
    for segment in sorted(segments.values(), key=lambda one: float(one["start"])):
        speaker_name = segment["speaker"]["name"] if segment["speaker"] else None
        seen.words += [
            (one["text"], one["start"], one["end"], speaker_name) for one in segment["words"]
        ]


async def play_and_view(url: str, session_id: str) -> Watched:
    """One bot and one viewer, through one meeting in real time."""
    seen = Watched()
    track = AudioTrack(
        0, DATA / "meeting.flac", None, load_speaker_events(DATA / "meeting_speakers.json")
    )
    async with OrchestrationClient(url) as client:
        await client.create_session(session_id, language="en")
        async with BotConnection(client, session_id, [track.spec]) as bot:
            began_s = time.monotonic()
            viewing = asyncio.create_task(view(client, session_id, seen, began_s))
            await play(bot, [track])
            played_s = time.monotonic()
            seen.coverage = dict(await bot.end())
            seen.backlog_s = time.monotonic() - played_s
        await viewing
        seen.status = str((await client.session(session_id))["status"])
    track.close()
    return seen


async def single_pass(model: str) -> str:
    """The same engine's text of the whole file at once."""
    samples, _ = soundfile.read(DATA / "meeting.flac", dtype="int16")
    with tempfile.TemporaryDirectory() as folder:
        engine = EmbeddedWhisper(model, cache_dir=Path(folder), threads=THREADS)
        whole = TranscriptionRequest("single-pass", 0, 0, samples.tobytes(), "en", "")
        hypothesis = await engine.transcribe(whole)
        await engine.close()
    return " ".join(word.text for segment in hypothesis.segments for word in segment.words)


def print_session(name: str, seen: Watched) -> None:
    only = seen.coverage["streams"][0]
    fates = {fate: only[fate] for fate in ("transcribed", "silent", "lost", "pending")}
    row(f"{name}: status", seen.status, "completed")
    row(f"{name}: word error rate", f"{word_error_points(seen.text):.1f} % {mistakes(seen.text)}")
    row(f"{name}: word commit latency", p50_p95(seen.latencies_s, "s", 2))
    row(
        f"{name}: backlog at the end",
        f"all stored {seen.backlog_s:.1f} s after the last sample; lag {seen.last_lag_s} s",
    )
    summed = " + ".join(f"{count} {fate}" for fate, count in fates.items())
    row(f"{name}: coverage", f"{summed} = {sum(fates.values())} of {only['duration']} samples")


async def several(url: str, count: int) -> Sequence[Watched]:
    return await asyncio.gather(*(play_and_view(url, f"of-{count}-{n}") for n in range(count)))


def bench_one_and_two(folder: Path) -> None:
    with service(folder / "base", WHISPER_MODEL="base") as running:
        print(f"One session, base; {machine_line()}")
        alone = asyncio.run(play_and_view(running.url, "alone"))
        print_session("alone", alone)
        print(f"Two sessions at once, base; {machine_line()}")
        for number, seen in enumerate(asyncio.run(several(running.url, 2))):
            print_session(f"of two, {number}", seen)
    single = word_error_points(asyncio.run(single_pass("base")))
    live = word_error_points(alone.text)
    named = share_of_words_named_right(spoken_turns(), alone.words)
    print("One session against one single pass of base over the file")
    row("word error rate, live", f"{live:.1f} %")
    row("word error rate, single pass", f"{single:.1f} %")
    row("difference", f"{live - single:+.1f} points", f"{BAR_POINTS} points")
    row("words under the right name", f"{100 * named.right_share:.1f} %", f"{BAR_NAMED} %")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        bench_one_and_two(Path(folder))
        with service(Path(folder) / "tiny", WHISPER_MODEL="tiny.en") as running:
            print(f"Four sessions at once, tiny.en; {machine_line()}")
            for number, seen in enumerate(asyncio.run(several(running.url, 4))):
                print_session(f"of four, {number}", seen)
    print(f"Afterwards: {machine_line()}")


if __name__ == "__main__":
    main()
