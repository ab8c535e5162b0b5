"""The process that decodes one file, given as its standard input. Run as a script, not imported.

It binds itself before it reads a byte of the file: memory, CPU time, no file written, and no
further file descriptor, so that a playlist or a reference in a file opens no path and no address.
FFmpeg's own lists say the same: no protocol, and only containers that hold audio themselves.

Messages on its standard output: a kind (1 byte), a length (4 bytes, big-endian), and that many
bytes. `I` says in JSON what the file is, `P` carries PCM, `D` ends well and `E` in an error, in
JSON both. Its only argument is the limits, in JSON.
"""

import contextlib
import io
import json
import math
import os
import resource
import struct
import sys
from collections.abc import Callable, Iterator
from typing import BinaryIO

import av
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer

CONTAINERS = (
    "aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,au,avi,caf,dsf,dts,dtshd,eac3,flac,flv,gsm,loas,"
    "matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mp3,mpc,mpc8,mpeg,mpegts,nut,ogg,oma,qoa,rm,sox,tak,"
    "truehd,tta,voc,w64,wav,wv,xwma"
)
PROBE_BYTES = 5_000_000
"""Read at most to find out what a file is."""
PIECE_BYTES = 65_536
"""Of PCM in one message at most."""
MAX_DAMAGED_PACKETS = 1000
"""One more in a row, with nothing decoded between, and the rest of the file is given up."""


class Refused(Exception):
    """The file is not decoded; `code` is for the other side to choose its error by."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def bind(limits: dict[str, int]) -> None:
    """Give up what decoding does not need, for good."""
    with open("/proc/self/statm", "rb") as statm:
        pages = int(statm.read().split()[0])
    memory = pages * resource.getpagesize() + limits["max_memory_bytes"]
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (limits["max_cpu_s"], limits["max_cpu_s"]))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))


def say(kind: bytes, body: bytes) -> None:
    """One message."""
    sys.stdout.buffer.write(struct.pack(">cI", kind, len(body)) + body)
    if kind == b"I":
        sys.stdout.buffer.flush()


def say_last(kind: bytes, body: dict[str, object]) -> None:
    say(kind, json.dumps(body).encode())
    sys.stdout.buffer.flush()


def refuse_opening(url: str, flags: int, options: dict[str, str]) -> object:
    """FFmpeg wants another file: there is none."""
    raise OSError("A file that refers to others is not opened.")


def audio_stream(container: InputContainer, limits: dict[str, int]) -> AudioStream:
    """The track to decode: the first with audio."""
    if len(container.streams) > limits["max_streams"]:
        raise Refused("unsupported", f"it has {len(container.streams)} tracks")
    if not container.streams.audio:
        raise Refused("unsupported", "there is no audio in it")
    stream = container.streams.audio[0]
    context = stream.codec_context
    if not 1 <= context.sample_rate <= limits["max_sample_rate"]:
        raise Refused("unsupported", f"its sample rate is {context.sample_rate} Hz")
    if not 1 <= context.channels <= limits["max_channels"]:
        raise Refused("unsupported", f"it has {context.channels} channels")
    return stream


def frames(container: InputContainer, stream: AudioStream) -> Iterator[AudioFrame | None]:
    """Decoded frames; None for a packet that cannot be decoded."""
    in_a_row = 0
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except av.error.FFmpegError:
            yield None
            return
        try:
            decoded = packet.decode()
        except av.error.FFmpegError:
            in_a_row += 1
            yield None
            if in_a_row > MAX_DAMAGED_PACKETS:
                return
            continue
        for frame in decoded:
            in_a_row = 0
            if isinstance(frame, AudioFrame):
                if stream.codec_context.name.startswith("pcm_f"):
                    silence_what_is_no_number(frame)
                yield frame


def silence_what_is_no_number(frame: AudioFrame) -> None:
    """Of floats as they stood in the file: FFmpeg makes a NaN as loud as s16 goes."""
    letter = "d" if frame.format.name.startswith("dbl") else "f"
    for plane in frame.planes:
        values = memoryview(plane).cast("B").cast(letter)  # type: ignore[call-overload]
        if math.isfinite(sum(values)):
            continue
        for at, value in enumerate(values):
            if not math.isfinite(value):
                values[at] = 0.0


def resampled(
    container: InputContainer, stream: AudioStream, limits: dict[str, int], damaged: list[int]
) -> Iterator[bytes]:
    """The track in the form that was asked for. A stream may change its format on the way."""
    layout = "mono" if limits["channels"] == 1 else "stereo"
    resampler: AudioResampler | None = None
    known: tuple[object, ...] = ()
    for frame in frames(container, stream):
        if frame is None:
            damaged[0] += 1
            continue
        form = (frame.format.name, frame.layout.name, frame.sample_rate)
        if form != known:
            if frame.sample_rate > limits["max_sample_rate"]:
                raise Refused("unsupported", f"its sample rate is {frame.sample_rate} Hz")
            if frame.layout.nb_channels > limits["max_channels"]:
                raise Refused("unsupported", f"it has {frame.layout.nb_channels} channels")
            if resampler is not None:
                yield from pcm_of(resampler.resample(None), limits["channels"])
            resampler = AudioResampler("s16", layout, limits["sample_rate"])
            known = form
        assert resampler is not None
        frame.pts = None
        yield from pcm_of(resampler.resample(frame), limits["channels"])
    if resampler is not None:
        yield from pcm_of(resampler.resample(None), limits["channels"])


def pcm_of(decoded: list[AudioFrame], channels: int) -> Iterator[bytes]:
    """The samples of frames, without the padding behind them."""
    for frame in decoded:
        if frame.samples:
            yield bytes(frame.planes[0])[: frame.samples * channels * 2]


def warm_up(limits: dict[str, int]) -> None:
    """Load what PyAV loads at first use, while files can still be opened."""
    body = bytes(1600)
    form = struct.pack("<HHIIHH", 1, 1, 8000, 16_000, 2, 16)
    chunks = b"fmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", len(body)) + body
    wav = b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks
    for sample in (wav, b"nothing"):
        with contextlib.suppress(Refused, av.error.FFmpegError):
            decode(io.BytesIO(sample), len(sample), limits, lambda kind, body: None)


def decode(
    source: BinaryIO, file_bytes: int, limits: dict[str, int], say: Callable[[bytes, bytes], None]
) -> dict[str, object]:
    """Say a file's audio; returns the closing message."""
    options = {
        "format_whitelist": CONTAINERS,
        "protocol_whitelist": "none",
        "probesize": str(PROBE_BYTES),
        "formatprobesize": str(PROBE_BYTES),
        "max_streams": str(limits["max_streams"] + 1),
    }
    with av.open(
        source,
        mode="r",
        container_options=options,
        io_open=refuse_opening,
        metadata_errors="replace",
    ) as container:
        stream = audio_stream(container, limits)
        stream.codec_context.thread_count = 1
        declared = container.duration
        source_info = {
            "container": container.format.name,
            "codec": stream.codec_context.name,
            "sample_rate": stream.codec_context.sample_rate,
            "channels": stream.codec_context.channels,
            "declared_ms": None if declared is None else declared * 1000 // av.time_base,
        }
        say(b"I", json.dumps(source_info).encode())
        per_s = limits["sample_rate"] * limits["channels"] * 2
        longest = limits["max_duration_ms"] * per_s // 1000
        densest = max(limits["free_bytes"], limits["max_expansion"] * file_bytes)
        said = 0
        damaged = [0]
        for pcm in resampled(container, stream, limits, damaged):
            said += len(pcm)
            if said > longest:
                raise Refused("too_long", "it is too long")
            if said > densest:
                raise Refused("expands", "it expands too much")
            for at in range(0, len(pcm), PIECE_BYTES):
                say(b"P", pcm[at : at + PIECE_BYTES])
        if not said:
            raise Refused("unsupported", "no audio in it can be decoded")
    return {"damaged_packets": damaged[0]}


def main() -> None:
    limits: dict[str, int] = json.loads(sys.argv[1])
    os.nice(5)
    warm_up(limits)
    bind(limits)
    try:
        say_last(b"D", decode(os.fdopen(0, "rb"), os.fstat(0).st_size, limits, say))
    except Refused as refusal:
        say_last(b"E", {"code": refusal.code, "reason": str(refusal)})
    except MemoryError:
        # FFmpeg says so too of a file that has more tracks than it was told to take.
        reason = "it has too many tracks, or needs too much memory"
        say_last(b"E", {"code": "unsupported", "reason": reason})
    except (av.error.FFmpegError, OSError, ValueError, LookupError, RuntimeError) as error:
        reason = f"it is damaged, or of no kind that holds audio ({type(error).__name__})"
        say_last(b"E", {"code": "unsupported", "reason": reason})
    # The interpreter's own end may want a file, which it may no longer open.
    sys.stdout.buffer.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
