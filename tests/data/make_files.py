"""Audio files of many formats, and files that mean harm, made when tests want them."""

import gzip
import io
import struct
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import av
import numpy as np
import soundfile
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream

TONE_HZ = 440
TONE_S = 1


@dataclass(frozen=True)
class FileFormat:
    """A container, its encoder, and what the encoder wants."""

    container: str
    codec: str
    sample_rate: int = 48_000
    channels: int = 2


FORMATS: Mapping[str, FileFormat] = {
    "wav": FileFormat("wav", "pcm_s16le", 44_100),
    "wav_8_bit": FileFormat("wav", "pcm_u8", 11_025, 1),
    "wav_24_bit": FileFormat("wav", "pcm_s24le", 96_000),
    "wav_float": FileFormat("wav", "pcm_f32le"),
    "wav_a_law": FileFormat("wav", "pcm_alaw", 8000, 1),
    "wav_adpcm": FileFormat("wav", "adpcm_ima_wav", 22_050, 1),
    "au_mu_law": FileFormat("au", "pcm_mulaw", 8000, 1),
    "aiff": FileFormat("aiff", "pcm_s16be"),
    "caf": FileFormat("caf", "pcm_s16le"),
    "w64": FileFormat("w64", "pcm_s16le"),
    "flac": FileFormat("flac", "flac"),
    "ogg_opus": FileFormat("ogg", "libopus"),
    "ogg_vorbis": FileFormat("ogg", "vorbis"),
    "ogg_flac": FileFormat("ogg", "flac"),
    "webm_opus": FileFormat("webm", "libopus"),
    "mp3": FileFormat("mp3", "libmp3lame", 44_100),
    "mp3_speech": FileFormat("mp3", "libmp3lame", 16_000, 1),
    "m4a": FileFormat("ipod", "aac"),
    "m4a_lossless": FileFormat("ipod", "alac"),
    "mp4": FileFormat("mp4", "aac"),
    "3gp": FileFormat("3gp", "aac", 16_000, 1),
    "flv": FileFormat("flv", "aac", 44_100),
    "mov": FileFormat("mov", "pcm_s16le"),
    "adts_aac": FileFormat("adts", "aac", 44_100),
    "mkv_flac": FileFormat("matroska", "flac"),
    "mp2": FileFormat("mp2", "mp2"),
    "ac3": FileFormat("ac3", "ac3"),
    "wma": FileFormat("asf", "wmav2"),
    "avi": FileFormat("avi", "pcm_s16le"),
    "mpeg_ts": FileFormat("mpegts", "aac"),
    "wavpack": FileFormat("wv", "wavpack"),
    "true_audio": FileFormat("tta", "tta"),
}


def tone_file(form: FileFormat, seconds: float = TONE_S, tracks: int = 1) -> bytes:
    """A tone in this format."""
    moments = np.arange(round(seconds * form.sample_rate)) / form.sample_rate
    wave = (np.sin(2 * np.pi * TONE_HZ * moments) * 8000).astype(np.int16)
    file = io.BytesIO()
    if form.codec == "vorbis":
        soundfile.write(file, wave, form.sample_rate, format="OGG", subtype="VORBIS")
        return file.getvalue()
    layout = "mono" if form.channels == 1 else "stereo"
    with av.open(file, "w", format=form.container) as output:
        streams = []
        for _ in range(tracks):
            stream = output.add_stream(form.codec, rate=form.sample_rate)
            assert isinstance(stream, AudioStream)
            stream.layout = layout
            if form.codec == "wmav2":
                stream.bit_rate = 128_000
            streams.append(stream)
        values = np.repeat(wave, form.channels)[None, :]
        for stream in streams:
            frame = AudioFrame.from_ndarray(values, format="s16", layout=layout)
            frame.sample_rate = form.sample_rate
            frame.pts = 0
            for packet in (*stream.encode(frame), *stream.encode(None)):
                output.mux(packet)
    return file.getvalue()


def wav_header(
    *, sample_rate: int = 16_000, channels: int = 1, data_bytes: int, riff_bytes: int
) -> bytes:
    """A PCM WAV header that may say anything."""
    block = min(channels * 2, 65_535)
    byte_rate = sample_rate * block & 0xFFFFFFFF
    form = struct.pack("<HHIIHH", 1, channels, sample_rate, byte_rate, block, 16)
    return (
        b"RIFF" + struct.pack("<I", riff_bytes) + b"WAVEfmt " + struct.pack("<I", 16) + form
    ) + (b"data" + struct.pack("<I", data_bytes))


def silent_flac(seconds: int, sample_rate: int = 8000) -> bytes:
    """Silence: about a thousandth of its decoded size."""
    file = io.BytesIO()
    silence = np.zeros(seconds * sample_rate, np.int16)
    soundfile.write(file, silence, sample_rate, format="FLAC", subtype="PCM_16")
    return file.getvalue()


def _zip_bomb() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("audio.wav", bytes(20_000_000))
    return file.getvalue()


def _png() -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="image2pipe") as output:
        stream = output.add_stream("png", rate=1)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "rgb24"
        frame = av.VideoFrame(32, 32, "rgb24")
        for packet in (*stream.encode(frame), *stream.encode(None)):
            output.mux(packet)
    return file.getvalue()


def _damaged_flac() -> bytes:
    flac = bytearray(tone_file(FORMATS["flac"], 3))
    for at in range(len(flac) // 3, len(flac) // 3 + 400):
        flac[at] ^= 0xA5
    return bytes(flac)


def _nested_matroska() -> bytes:
    """Segments within segments, each of unknown size."""
    ebml = bytes.fromhex("1a45dfa3a34286810142f7810142f2810442f381084282886d6174726f736b61")
    return ebml + bytes.fromhex("1853806701ffffffffffffff") * 20_000


def hostile_files(reference: str) -> Mapping[str, Callable[[], bytes]]:
    """Files that mean harm or are broken; some refer to `reference`, a path or URL of audio."""
    wav = tone_file(FORMATS["wav"])
    mp3 = tone_file(FORMATS["mp3"])
    mp4 = tone_file(FORMATS["mp4"])
    hls = f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{reference}\n#EXT-X-ENDLIST\n"
    dash = (
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static">'
        f"<Period><AdaptationSet><BaseURL>{reference}</BaseURL></AdaptationSet></Period></MPD>"
    )
    asx = f'<asx version="3.0"><entry><ref href="{reference}"/></entry></asx>'
    xspf = (
        '<?xml version="1.0"?><playlist version="1" xmlns="http://xspf.org/ns/0/"><trackList>'
        f"<track><location>{reference}</location></track></trackList></playlist>"
    )
    sdp = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=audio 5004 RTP/AVP 0\n"
    return {
        "nothing": lambda: b"",
        "noise": lambda: np.random.default_rng(1).bytes(200_000),
        "zeros": lambda: bytes(1_000_000),
        "text": lambda: b"This is not audio. " * 1000,
        "zip_bomb": _zip_bomb,
        "gzip_bomb": lambda: gzip.compress(bytes(20_000_000)),
        "hls_playlist": hls.encode,
        "m3u_playlist": lambda: f"#EXTM3U\n{reference}\n".encode(),
        "pls_playlist": lambda: f"[playlist]\nFile1={reference}\nNumberOfEntries=1\n".encode(),
        "concat_script": lambda: f"ffconcat version 1.0\nfile '{reference}'\n".encode(),
        "dash_manifest": dash.encode,
        "asx_playlist": asx.encode,
        "xspf_playlist": xspf.encode,
        "asf_reference": lambda: f"[Reference]\nRef1={reference}\n".encode(),
        "rtsp_redirection": lambda: f"RTSPtext\n{reference}\n".encode(),
        "cue_sheet": lambda: f'FILE "{reference}" WAVE\n  TRACK 01 AUDIO\n'.encode(),
        "sdp_description": sdp.encode,
        "image": _png,
        "wav_header_alone": lambda: wav[:30],
        "wav_without_rate": lambda: (
            wav_header(sample_rate=0, data_bytes=32_000, riff_bytes=32_036) + bytes(32_000)
        ),
        "wav_of_65535_channels": lambda: (
            wav_header(channels=65_535, data_bytes=1_000_000, riff_bytes=1_000_036)
            + bytes(1_000_000)
        ),
        "wav_at_4_ghz": lambda: (
            wav_header(sample_rate=4_000_000_000, data_bytes=32_000, riff_bytes=32_036)
            + bytes(32_000)
        ),
        "wav_that_claims_4_gb": lambda: (
            wav_header(data_bytes=0xFFFFFFF0, riff_bytes=0xFFFFFFFF) + wav[44:32_044]
        ),
        "mp3_behind_an_endless_tag": lambda: b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + bytes(500_000) + mp3,
        "mp3_cut_off": lambda: mp3[: len(mp3) // 2],
        "mp4_cut_off": lambda: mp4[: len(mp4) // 2],
        "mp4_with_a_vast_box": lambda: (
            mp4[:32] + struct.pack(">I4sQ", 1, b"moov", 2**62) + mp4[32:]
        ),
        "matroska_without_end": _nested_matroska,
        "flac_damaged": _damaged_flac,
        "forty_tracks": lambda: tone_file(FORMATS["mkv_flac"], 0.1, tracks=40),
        "wav_that_is_a_zip_too": lambda: wav + _zip_bomb(),
        "wav_in_gzip": lambda: gzip.compress(wav),
        "pdf_that_is_mp3_too": lambda: b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n" + mp3 + b"\n%%EOF\n",
        "zip_that_is_mp3_too": lambda: _zip_bomb() + mp3,
        "gif_that_is_mp3_too": lambda: b"GIF89a\1\0\1\0\0\0\0" + mp3,
        "playlist_that_is_mp3_too": lambda: hls.encode() + mp3,
        "page_that_is_mp3_too": lambda: b"<html><script>alert(1)</script></html>" + mp3,
        "flac_of_long_silence": lambda: silent_flac(1800),
    }
