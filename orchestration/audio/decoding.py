"""What a compressed file may cost to decode, and what comes of it: values only.

`orchestration.services.decoding` decodes, in a process of its own.
"""

from dataclasses import dataclass

from orchestration.audio.pcm import PcmFormat
from orchestration.services.ports import ENGINE_SAMPLE_RATE


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """Limits of decoding one file; at each, decoding ends with an error that names it."""

    max_file_bytes: int = 100 * 1024 * 1024
    """Of the file as it came; a larger one is `TooLarge`."""
    max_duration_ms: int = 4 * 3600 * 1000
    """Of the decoded audio, whatever the file declares; more is `AudioTooLong`."""
    max_expansion: int = 1000
    """Bytes of decoded audio for each byte of the file; more is `AudioExpandsTooMuch`. Speech in
    Opus expands about 40 times, a FLAC file of silence about 600 times."""
    free_bytes: int = 2 * 1024 * 1024
    """Decoded audio that no file is too small for: about a minute."""
    max_streams: int = 32
    """Tracks of any kind in the file; more is `UnsupportedAudio`."""
    max_sample_rate: int = 384_000
    """Samples a second in the file; more is `UnsupportedAudio`."""
    max_channels: int = 8
    """Channels in the file; more is `UnsupportedAudio`."""
    max_cpu_s: int = 600
    """CPU time of the decoding process; more is `DecodingTooSlow`."""
    max_wait_ms: int = 900_000
    """Wall time spent waiting for the decoding process; more is `DecodingTooSlow`."""
    max_memory_bytes: int = 512 * 1024 * 1024
    """Address space of the decoding process beyond its libraries; more is `UnsupportedAudio`."""
    sample_rate: int = ENGINE_SAMPLE_RATE
    """Samples a second of the decoded audio."""
    channels: int = 1
    """Channels of the decoded audio, 1 or 2."""

    @property
    def format(self) -> PcmFormat:
        """The decoded audio's."""
        return PcmFormat("s16le", self.sample_rate, self.channels)


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What the file says of itself. `declared_ms` is a claim, and absent where it makes none."""

    container: str
    codec: str
    sample_rate: int
    channels: int
    declared_ms: int | None


@dataclass(frozen=True, slots=True, eq=False)
class DecodedAudio:
    """A whole file as s16le PCM. `damaged_packets` could not be decoded and are left out."""

    format: PcmFormat
    pcm: bytes
    source: SourceInfo
    damaged_packets: int

    @property
    def samples(self) -> int:
        """Samples per channel."""
        return len(self.pcm) // self.format.sample_bytes

    @property
    def duration_ms(self) -> int:
        return self.samples * 1000 // self.format.sample_rate
