"""What each stage before whisper costs, and what whisper makes of noisy speech with each preset.

    python -m tests.benchmarks stages

CPU is of one thread, for 4 s chunks. Words are those of the embedded whisper (tiny.en, or
WHISPER_MODEL) on the committed reading, with white noise and with low-pitched noise at several
ratios; WER is against the reading's text.
"""

import asyncio
import os
import tempfile
from pathlib import Path
from time import thread_time_ns

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy import signal

from orchestration.audio.presets import PRESETS, STAGES, resolve_stages
from orchestration.audio.quality import assess
from orchestration.audio.stages import Samples, process, to_pcm, to_samples
from orchestration.services.embedded_whisper import EmbeddedWhisper
from orchestration.services.ports import ENGINE_SAMPLE_RATE, TranscriptionRequest
from tests.scoring import word_error_rate

DATA = Path(__file__).parents[1] / "data"
SNRS_DB = (20, 10, 5, 0)
CHUNK_S = 4
PART_S = 24


def reading() -> Samples:
    samples, _ = soundfile.read(DATA / "reading.flac", dtype="float64")
    return np.asarray(samples, dtype=np.float64)


def noisy(speech: Samples, snr_db: float, kind: str) -> Samples:
    """Speech with noise; the ratio is of the powers over the whole."""
    noise: NDArray[np.float64] = np.random.default_rng(7).normal(0, 1, len(speech))
    if kind == "low-pitched":
        noise = signal.lfilter([1], [1, -0.9], noise)
    noise *= np.sqrt(np.mean(speech**2) / np.mean(noise**2)) * 10 ** (-snr_db / 20)
    return np.asarray(np.clip(speech + noise, -1, 1), dtype=np.float64)


def print_costs(speech: Samples) -> None:
    print("CPU ms for each second of audio")
    size = CHUNK_S * ENGINE_SAMPLE_RATE
    chunks = [speech[at : at + size] for at in range(0, len(speech) - size, size)]
    seconds = len(chunks) * CHUNK_S
    for name in STAGES:
        rate = {"rate_hz": 8000} if name == "resampling" else {}
        setting = resolve_stages({"stages": {name: {"enabled": True, "parameters": {**rate}}}})
        began = thread_time_ns()
        for chunk in chunks:
            process(chunk, setting)
        print(f"  {name:18} {(thread_time_ns() - began) / 1e6 / seconds:6.2f}")
    began = thread_time_ns()
    for chunk in chunks:
        assess(chunk)
    print(f"  {'quality':18} {(thread_time_ns() - began) / 1e6 / seconds:6.2f}")


async def wer(engine: EmbeddedWhisper, samples: Samples, text: str) -> float:
    request = TranscriptionRequest("bench", 0, 0, to_pcm(samples), "en", "")
    answer = await engine.transcribe(request)
    heard = " ".join(word.text for segment in answer.segments for word in segment.words)
    return word_error_rate(text, heard).rate


async def main() -> None:
    speech = reading()[: PART_S * ENGINE_SAMPLE_RATE]
    print_costs(speech)
    text = (DATA / "reading.txt").read_text()
    model = os.environ.get("WHISPER_MODEL", "tiny.en")
    engine = EmbeddedWhisper(model, cache_dir=Path(tempfile.gettempdir()), threads=2)
    cases = [("clean", speech)] + [
        (f"{kind} {snr} dB", noisy(speech, snr, kind))
        for kind in ("white", "low-pitched")
        for snr in SNRS_DB
    ]
    print(f"\nWER % of {model} by preset; score is that of the audio as it came")
    print(f"  {'':18} score " + " ".join(f"{name[:8]:>8}" for name in PRESETS))
    for name, samples in cases:
        rates = []
        for preset in PRESETS:
            stages = resolve_stages({"preset": preset})
            heard = process(to_samples(to_pcm(samples)), stages)
            rates.append(100 * await wer(engine, heard, text))
        score = assess(samples).score
        print(f"  {name:18} {score:5.2f} " + " ".join(f"{rate:8.1f}" for rate in rates), flush=True)
    await engine.close()


if __name__ == "__main__":
    asyncio.run(main())
