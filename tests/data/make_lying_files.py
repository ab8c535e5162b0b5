"""Files whose headers lie: of times, sizes, tracks, rates and of where their audio is."""

import io
import struct
from collections.abc import Callable, Mapping

import av
import numpy as np
import soundfile

from tests.data.make_files import FORMATS, tone_file, wav_header

VAST = 0xFFFFFFFF
MANY = 100_000
"""Empty parts of a file: enough that a reader which is slow at each would be seen."""
OGG_POLYNOMIAL = 0x04C11DB7
CONTAINER_BOXES = {b"moov", b"trak", b"mdia", b"minf", b"dinf", b"stbl"}

Edit = Callable[[bytes], bytes]


def riff(kind: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """A RIFF file of these chunks."""
    body = kind + b"".join(name + struct.pack("<I", len(data)) + data for name, data in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def box(kind: bytes, body: bytes) -> bytes:
    """A box of MP4."""
    return struct.pack(">I4s", len(body) + 8, kind) + body


def edited_boxes(data: bytes, edits: Mapping[bytes, Edit]) -> bytes:
    """An MP4 file with the bodies of some kinds of boxes changed, and all sizes around them."""
    out, at = b"", 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8 : at + size]
        if kind in CONTAINER_BOXES:
            body = edited_boxes(body, edits)
        out += box(kind, edits[kind](body) if kind in edits else body)
        at += size
    return out


def ogg_pages(data: bytes) -> list[bytes]:
    """The pages of an Ogg file."""
    pages, at = [], 0
    while at < len(data):
        lacing = data[at + 26]
        size = 27 + lacing + sum(data[at + 27 : at + 27 + lacing])
        pages.append(data[at : at + size])
        at += size
    return pages


def ogg_page(page: bytes, *, granule: int | None = None, serial: int | None = None) -> bytes:
    """A page with another position or stream number, its checksum (RFC 3533) made right."""
    changed = bytearray(page)
    if granule is not None:
        struct.pack_into("<q", changed, 6, granule)
    if serial is not None:
        struct.pack_into("<I", changed, 14, serial)
    struct.pack_into("<I", changed, 22, 0)
    crc = 0
    for byte in changed:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ OGG_POLYNOMIAL) if crc & 0x80000000 else crc << 1
        crc &= VAST
    struct.pack_into("<I", changed, 22, crc)
    return bytes(changed)


def _float_wav_without_numbers() -> bytes:
    samples = np.full(48_000, np.nan, "<f4")
    samples[::3], samples[1::3] = np.inf, -np.inf
    form = struct.pack("<HHIIHH", 3, 1, 48_000, 192_000, 4, 32)
    return riff(b"WAVE", (b"fmt ", form), (b"data", samples.tobytes()))


def _flac_that_claims_ages() -> bytes:
    """36 bits of STREAMINFO say how many samples there are."""
    flac = bytearray(tone_file(FORMATS["flac"]))
    flac[21] |= 0x0F
    flac[22:26] = b"\xff" * 4
    return bytes(flac)


def _flac_of_endless_headers() -> bytes:
    flac = tone_file(FORMATS["flac"])
    first = bytes([flac[4] & 0x7F]) + flac[5:42]
    return b"fLaC" + first + b"\x01\0\0\0" * MANY


def _flac_cover(picture: bytes, claimed: int) -> bytes:
    """A FLAC file with a cover that says its size is `claimed`."""
    flac = tone_file(FORMATS["flac"])
    head = struct.pack(">II", 3, 10) + b"image/jpeg" + struct.pack(">I", 0)
    body = head + struct.pack(">IIIII", VAST, VAST, 24, 0, claimed) + picture
    block = bytes([6]) + len(body).to_bytes(3, "big") + body
    return flac[:4] + bytes([flac[4] & 0x7F]) + flac[5:42] + block + flac[42:]


def _mp3_of_a_large_cover() -> bytes:
    """A JPEG of 65 500 by 65 500 dots in 8 MB."""
    jpeg = bytes.fromhex("ffd8ffc0001108ffdcffdc03012200021101031101") + bytes(8_000_000)
    frame = b"\0image/jpeg\0\x03\0" + jpeg
    body = b"APIC" + _syncsafe(len(frame)) + b"\0\0" + frame
    return b"ID3\x04\0\0" + _syncsafe(len(body)) + body + tone_file(FORMATS["mp3"])


def _syncsafe(size: int) -> bytes:
    """An ID3 size: seven bits a byte."""
    return bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))


def _ogg_that_claims_ages() -> bytes:
    *pages, last = ogg_pages(tone_file(FORMATS["ogg_opus"]))
    return b"".join(pages) + ogg_page(last, granule=2**62)


def _ogg_of_two_thousand_streams() -> bytes:
    first, *others = ogg_pages(tone_file(FORMATS["ogg_opus"]))
    more = b"".join(ogg_page(first, serial=number) for number in range(2000))
    return more + first + b"".join(others)


def _opus_of_255_channels() -> bytes:
    head = b"OpusHead" + struct.pack("<BBHIhB", 1, 255, 0, 48_000, 0, 255)
    packet = head + bytes([255, 0, *range(255)])
    lacing = bytes([255] * (len(packet) // 255) + [len(packet) % 255])
    page = struct.pack("<4sBBqIII", b"OggS", 0, 2, 0, 7, 0, 0) + bytes([len(lacing)])
    _, *others = ogg_pages(tone_file(FORMATS["ogg_opus"]))
    return ogg_page(page + lacing + packet) + b"".join(ogg_page(one, serial=7) for one in others)


def _mp4(**edits: Edit) -> bytes:
    return edited_boxes(
        tone_file(FORMATS["mp4"]), {name.encode(): edit for name, edit in edits.items()}
    )


def _mp4_of_three_thousand_tracks() -> bytes:
    mp4 = tone_file(FORMATS["mp4"])
    at = mp4.index(b"trak") - 4
    track = mp4[at : at + struct.unpack_from(">I", mp4, at)[0]]
    return edited_boxes(mp4, {b"moov": lambda body: body + track * 3000})


def _mp4_of_deep_boxes() -> bytes:
    deep = b""
    for _ in range(10_000):
        deep = struct.pack(">I4s", len(deep) + 8, b"moov") + deep
    return tone_file(FORMATS["mp4"])[:32] + deep


def _mov_of_another_file(reference: str) -> bytes:
    """Its samples are said to be in a file that an alias record names, as old editors did."""
    path = reference.encode()
    record = struct.pack(">IHH", 0, 150 + 4 + len(path), 2) + b"\0\0" + b"\x01v" + bytes(26)
    record += bytes(12) + b"\x01a" + bytes(62) + bytes(16) + struct.pack(">HH", 1, 1) + bytes(16)
    record += struct.pack(">HH", 2, len(path)) + path + struct.pack(">HH", VAST & 0xFFFF, 0)
    entry = box(b"alis", struct.pack(">I", 0) + record)
    mov = tone_file(FORMATS["mov"])
    return edited_boxes(mov, {b"dref": lambda body: struct.pack(">II", 0, 1) + entry})


def _video_alone() -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as output:
        stream = output.add_stream("mpeg4", rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for _ in range(25):
            output.mux(stream.encode(av.VideoFrame(64, 64, "yuv420p")))
        output.mux(stream.encode(None))
    return file.getvalue()


def _before_its_time() -> bytes:
    """Audio whose first block is 30 s before the beginning."""
    mkv = bytearray(tone_file(FORMATS["webm_opus"]))
    cluster = mkv.index(bytes.fromhex("1f43b675"))
    block = mkv.index(b"\xa3", cluster)
    length_bytes = 9 - mkv[block + 1].bit_length()
    struct.pack_into(">h", mkv, block + 1 + length_bytes + 1, -30_000)
    return bytes(mkv)


def _aiff(rate: bytes) -> bytes:
    """An AIFF file with an 80-bit number for its rate."""
    common = struct.pack(">hIh", 1, 1000, 16) + rate
    sound = bytes(8) + bytes(2000)
    body = b"AIFFCOMM" + struct.pack(">I", len(common)) + common
    body += b"SSND" + struct.pack(">I", len(sound)) + sound
    return b"FORM" + struct.pack(">I", len(body)) + body


def _caf(rate: float) -> bytes:
    form = struct.pack(">d4sIIIII", rate, b"lpcm", 0, 2, 1, 1, 16)
    data = struct.pack(">I", 0) + bytes(2000)
    head = b"caff\0\x01\0\0desc" + struct.pack(">q", len(form)) + form
    return head + b"data" + struct.pack(">q", len(data)) + data


def _ape_of_vast_frames() -> bytes:
    descriptor = struct.pack("<4sHHIIIIIII16s", b"MAC ", 3990, 0, 52, 24, VAST, 44, 0, 0, 0, b"")
    header = struct.pack("<HHIIIHHI", 2000, 0, 73_728 * 4, VAST, VAST, 16, 2, 44_100)
    return descriptor + header + bytes(100_000)


def _tta_of_vast_length() -> bytes:
    header = struct.pack("<4sHHHII", b"TTA1", 1, 2, 16, 44_100, VAST)
    return header + bytes(4) + bytes(100_000)


def _avi_of_empty_chunks() -> bytes:
    avi = tone_file(FORMATS["avi"])
    at = avi.index(b"movi") + 4
    return avi[:at] + b"00wb\0\0\0\0" * MANY


def _one_sample_a_second() -> bytes:
    """40 KB that last five hours: 640 MB once resampled."""
    count = 20_000
    head = wav_header(sample_rate=1, data_bytes=count * 2, riff_bytes=count * 2 + 36)
    return head + np.random.default_rng(2).bytes(count * 2)


def _ogg_of_a_tone_then_another() -> bytes:
    """Two files one behind the other, as chained Ogg is, with other codecs and channels."""
    file = io.BytesIO()
    wave = np.sin(np.arange(16_000) / 6).astype(np.float32) / 4
    soundfile.write(file, wave, 16_000, format="OGG", subtype="OPUS")
    return tone_file(FORMATS["ogg_flac"]) + file.getvalue()


def lying_files(reference: str) -> Mapping[str, Callable[[], bytes]]:
    """Files whose headers lie; one says that its audio is at `reference`."""
    wav = tone_file(FORMATS["wav"])
    nan_80 = b"\x7f\xff" + b"\xff" * 8
    return {
        "wav_without_channels": lambda: (
            wav_header(channels=0, data_bytes=32_000, riff_bytes=32_036) + bytes(32_000)
        ),
        "wav_of_infinities": _float_wav_without_numbers,
        "wav_of_empty_chunks": lambda: wav[:12] + b"JUNK\0\0\0\0" * MANY,
        "wav_of_a_vast_chunk": lambda: wav[:12] + b"LIST" + struct.pack("<I", VAST) + wav[12:],
        "wav_in_wav_in_wav": lambda: riff(
            b"WAVE", (b"fmt ", wav[20:36]), (b"data", riff(b"WAVE", (b"data", wav)))
        ),
        "wav_at_one_hertz": _one_sample_a_second,
        "flac_that_claims_ages": _flac_that_claims_ages,
        "flac_of_endless_headers": _flac_of_endless_headers,
        "flac_of_a_large_cover": lambda: _flac_cover(bytes(8_000_000), 8_000_000),
        "flac_of_a_vast_cover": lambda: _flac_cover(b"", VAST),
        "mp3_of_a_large_cover": _mp3_of_a_large_cover,
        "mp3_of_two_rates": lambda: tone_file(FORMATS["mp3"]) + tone_file(FORMATS["mp3_speech"]),
        "ogg_that_claims_ages": _ogg_that_claims_ages,
        "ogg_of_two_thousand_streams": _ogg_of_two_thousand_streams,
        "ogg_of_a_tone_then_another": _ogg_of_a_tone_then_another,
        "opus_of_255_channels": _opus_of_255_channels,
        "mp4_of_three_thousand_tracks": _mp4_of_three_thousand_tracks,
        "mp4_of_deep_boxes": _mp4_of_deep_boxes,
        "mp4_that_claims_ages": lambda: _mp4(
            mdhd=lambda body: body[:16] + struct.pack(">I", VAST) + body[20:]
        ),
        "mp4_of_ages_between_samples": lambda: _mp4(
            stts=lambda body: struct.pack(">IIII", 0, 1, 48, 0x7FFFFFFF)
        ),
        "mp4_of_four_billion_samples": lambda: _mp4(
            stsz=lambda body: struct.pack(">III", 0, 1, VAST),
            stts=lambda body: struct.pack(">IIII", 0, 1, VAST, 1),
            stsc=lambda body: struct.pack(">IIIII", 0, 1, 1, VAST, 1),
        ),
        "mov_of_another_file": lambda: _mov_of_another_file(reference),
        "video_alone": _video_alone,
        "webm_before_its_time": _before_its_time,
        "aiff_at_no_number_of_hertz": lambda: _aiff(nan_80),
        "caf_at_no_number_of_hertz": lambda: _caf(float("nan")),
        "caf_at_infinite_hertz": lambda: _caf(float("inf")),
        "au_that_begins_after_its_end": lambda: (
            b".snd" + struct.pack(">IIIII", VAST, VAST, 3, 16_000, 1) + bytes(32_000)
        ),
        "ape_of_vast_frames": _ape_of_vast_frames,
        "tta_of_vast_length": _tta_of_vast_length,
        "avi_of_empty_chunks": _avi_of_empty_chunks,
    }
