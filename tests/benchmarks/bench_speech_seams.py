"""Real speech cut at many places: what the seams cost beside one single pass of the same whisper.

    python -m tests.benchmarks.bench_speech_seams [MODEL [OFFSETS]]

The reading is begun OFFSETS times (40), each time 61 ms later, so that chunks of 4 s with overlaps
of 2 s cut it at other places; frames go through a stream's pipeline and chunks are heard by MODEL
(base) as fast as the machine can. Lost and doubled are words that the single pass has and the
stitched transcript has not, and the reverse.
"""

import asyncio
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import soundfile

from orchestration.audio.pcm import PcmFormat
from orchestration.services.embedded_whisper import EmbeddedWhisper
from orchestration.services.ports import Hypothesis, TranscriptionRequest
from orchestration.session.ingest_ledger import content_hash
from orchestration.session.inputs import StreamSpec
from orchestration.session.stream_pipeline import Heard, StreamPipeline
from orchestration.session.values import SessionValues
from orchestration.storage.values import JournalFrame
from tests.benchmarks.figures import machine_line, percentile, row
from tests.chaos.coded_audio import Samples
from tests.chaos.seams import nobody
from tests.scoring import WordErrors, normalise_text, word_error_rate

DATA = Path(__file__).parents[1] / "data"
THREADS = 2
OFFSETS = 40
STEP_MS = 61
FRAME_MS = 100
RATE = 16_000
BAR_POINTS = 0.5
TRAILING_SILENCE_MS = 1500


@dataclass(frozen=True, slots=True)
class Cut:
    """The reading begun at one place: what was said, heard at once, and heard in chunks."""

    said: str
    at_once: str
    stitched: str
    seams: int


async def hear(engine: EmbeddedWhisper, samples: Samples) -> Hypothesis:
    request = TranscriptionRequest("seams", 0, 0, samples.astype("<i2").tobytes(), "en", "")
    return await engine.transcribe(request)


async def stitch(engine: EmbeddedWhisper, samples: Samples) -> tuple[str, int]:
    """The final words of the samples played through a pipeline, and how many seams they have."""
    pipeline = StreamPipeline(StreamSpec(0, PcmFormat("s16le", RATE, 1), None), SessionValues())
    written: list[str] = []
    seams = 0

    def write(heard: Heard) -> None:
        written.extend(one.word.text for line in heard.lines for one in line.words)

    async def answer_all() -> int:
        cut = 0
        closed = pipeline.close_utterance(nobody)
        if closed is not None:
            write(closed)
        while (chunk := pipeline.next_chunk()) is not None:
            audio = pipeline.audio_of(chunk)
            assert audio is not None
            cut += not chunk.is_final
            write(pipeline.answered(chunk, await hear(engine, audio), nobody))
        return cut

    size = FRAME_MS * RATE // 1000
    for seq, first in enumerate(range(0, len(samples), size)):
        payload = samples[first : first + size].astype("<i2").tobytes()
        digest = content_hash(first, payload)
        pipeline.hear(JournalFrame(0, seq, first, len(payload) // 2, digest, payload))
        seams += await answer_all()
    pipeline.end()
    seams += await answer_all()
    return " ".join(written), seams


async def cut_at(engine: EmbeddedWhisper, offset_ms: int) -> Cut:
    whole, _ = soundfile.read(DATA / "reading.flac", dtype="int16")
    words: Any = json.loads((DATA / "reading.json").read_text(encoding="utf-8"))["words"]
    begin = offset_ms * RATE // 1000
    samples = np.concatenate(
        [whole[begin:], np.zeros(TRAILING_SILENCE_MS * RATE // 1000, np.int16)]
    )
    at_once = await hear(engine, samples)
    stitched, seams = await stitch(engine, samples)
    return Cut(
        said=" ".join(word["text"] for word in words if word["start_sample"] >= begin),
        at_once=" ".join(word.text for part in at_once.segments for word in part.words),
        stitched=stitched,
        seams=seams,
    )


def against(reference: str, text: str) -> jiwer.WordOutput:
    return jiwer.process_words(" ".join(normalise_text(reference)), " ".join(normalise_text(text)))


def pooled(errors: list[WordErrors]) -> float:
    """Word error rate over all, in points."""
    return 100 * sum(one.errors for one in errors) / sum(one.reference_words for one in errors)


async def measure(model: str, offsets: int) -> bool:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        engine = EmbeddedWhisper(model, cache_dir=Path(folder), threads=THREADS)
        await engine.warm_up()
        cuts = [await cut_at(engine, STEP_MS * number) for number in range(offsets)]
        await engine.close()
    seams = sum(cut.seams for cut in cuts)
    at_once = [word_error_rate(cut.said, cut.at_once) for cut in cuts]
    stitched = [word_error_rate(cut.said, cut.stitched) for cut in cuts]
    differences = [against(cut.at_once, cut.stitched) for cut in cuts]
    points = pooled(stitched) - pooled(at_once)
    row(f"whisper {model}, {offsets} beginnings, seams", str(seams))
    row("word error rate in one pass", f"{pooled(at_once):.2f} %")
    row("word error rate stitched", f"{pooled(stitched):.2f} %")
    row("difference", f"{points:+.2f} points", f"{BAR_POINTS} points")
    per_beginning = [100 * (b.rate - a.rate) for a, b in zip(at_once, stitched, strict=True)]
    worst, middle = max(per_beginning), percentile(per_beginning, 0.5)
    row("difference by beginning", f"median {middle:+.2f}, worst {worst:+.2f} points")
    for name, count in (
        ("lost", sum(one.deletions for one in differences)),
        ("doubled or added", sum(one.insertions for one in differences)),
        ("heard differently", sum(one.substitutions for one in differences)),
    ):
        figure = f"{1000 * count / max(1, seams):.1f} ({count})"
        row(f"words {name}, against one pass, per 1,000 seams", figure)
    return points <= BAR_POINTS


def main() -> int:
    model = sys.argv[1] if len(sys.argv) > 1 else "base"
    offsets = int(sys.argv[2]) if len(sys.argv) > 2 else OFFSETS
    print(f"Seams in speech; {machine_line()}")
    return 0 if asyncio.run(measure(model, offsets)) else 1


if __name__ == "__main__":
    sys.exit(main())
