"""Compressed audio to PCM, in a process of its own that may fail without harm.

Decoders are large C libraries, and what they read comes from anybody. The process has limits of
memory and CPU time, can open no file or socket, and is killed when it is late; see
`orchestration.audio.decoding_process`.
"""

import asyncio
import json
import os
import struct
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

from orchestration.audio import decoding
from orchestration.audio.decoding import DecodedAudio, DecodeLimits, SourceInfo
from orchestration.errors import (
    AudioExpandsTooMuch,
    AudioTooLong,
    DecodingTooSlow,
    OrchestrationError,
    TooLarge,
    Unavailable,
    UnreadableFile,
    UnsupportedAudio,
)
from orchestration.json_types import JsonObject

SCRIPT = Path(decoding.__file__).with_name("decoding_process.py")
MAX_MESSAGE_BYTES = 1_048_576
END_S = 1.0
"""How long a process may take to end by itself once it has said all."""
_HEADER = struct.Struct(">cI")


class Decoding:
    """A file being decoded: what it is, and its audio piece by piece."""

    def __init__(self, process: asyncio.subprocess.Process, limits: DecodeLimits) -> None:
        self._process = process
        self._limits = limits
        self._left_s = limits.max_wait_ms / 1000
        self.damaged_packets = 0
        """Known when the audio is at its end."""
        self.source = SourceInfo("", "", 0, 0, None)
        self.said_all = False
        """Whether the process has said its last message."""

    async def begin(self) -> None:
        """Wait for what the file says of itself; raises as `open_decoding` says."""
        kind, body = await self._message()
        if kind != b"I":
            raise self._unsupported("the decoder stopped")
        self.source = SourceInfo(**json.loads(body))

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """s16le PCM in whole samples, at most 64 KiB at once; raises as `open_decoding` says.

        Only the wait for the decoder counts against its time: who reads slowly may.
        """
        while True:
            kind, body = await self._message()
            if kind == b"D":
                self.damaged_packets = json.loads(body)["damaged_packets"]
                return
            yield body

    async def _message(self) -> tuple[bytes, bytes]:
        assert self._process.stdout is not None
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        try:
            async with asyncio.timeout(self._left_s):
                header = await self._process.stdout.readexactly(_HEADER.size)
                kind, size = _HEADER.unpack(header)
                if size > MAX_MESSAGE_BYTES:
                    raise self._unsupported("the decoder failed")
                body = await self._process.stdout.readexactly(size)
        except TimeoutError:
            raise self._too_slow("max_wait_ms", self._limits.max_wait_ms) from None
        except asyncio.IncompleteReadError:
            raise await self._died() from None
        self._left_s -= loop.time() - began_s
        self.said_all = kind in (b"D", b"E")
        if kind == b"E":
            raise self._refused(json.loads(body))
        return kind, body

    async def _died(self) -> OrchestrationError:
        code = await self._process.wait()
        # SIGXCPU, or SIGKILL where soft and hard limit are one.
        if code in (-24, -9):
            return self._too_slow("max_cpu_s", self._limits.max_cpu_s)
        return self._unsupported("the decoder failed on it")

    def _refused(self, body: dict[str, str]) -> OrchestrationError:
        limits = self._limits
        if body["code"] == "too_long":
            return AudioTooLong(
                f"The audio is longer than {limits.max_duration_ms // 1000} s.",
                {"limit": "max_duration_ms", "max": limits.max_duration_ms},
            )
        if body["code"] == "expands":
            return AudioExpandsTooMuch(
                f"The file holds over {limits.max_expansion} times its size in audio.",
                {"limit": "max_expansion", "max": limits.max_expansion},
            )
        return self._unsupported(body["reason"])

    def _unsupported(self, reason: str) -> UnsupportedAudio:
        facts: JsonObject = {"reason": reason}
        return UnsupportedAudio(f"The file is not decoded: {reason}.", facts)

    def _too_slow(self, limit: str, value: int) -> DecodingTooSlow:
        return DecodingTooSlow("The file takes too long to decode.", {"limit": limit, "max": value})


@asynccontextmanager
async def open_decoding(
    source: Path | bytes | BinaryIO, limits: DecodeLimits | None = None
) -> AsyncIterator[Decoding]:
    """Decode a file; what is left of the process ends with the context.

    Args:
        source: a path, the file's bytes, or an open file that has a descriptor.
        limits: what it may cost, and the form of the audio: mono at 16 kHz if not said.

    Raises:
        UnsupportedAudio: no audio can be decoded from it, or a limit of its shape is passed.
        TooLarge, AudioTooLong, AudioExpandsTooMuch, DecodingTooSlow: a limit is passed.
        UnreadableFile: there is no such file.
    """
    limits = limits or DecodeLimits()
    file = await asyncio.to_thread(_opened, source)
    try:
        _check_size(_size_of(file), limits)
        process = await _spawn(file, limits)
    finally:
        if file is not source:
            file.close()
    decoding = Decoding(process, limits)
    try:
        await decoding.begin()
        yield decoding
    finally:
        await _end(process, decoding.said_all)


async def decode(
    source: Path | bytes | BinaryIO, limits: DecodeLimits | None = None
) -> DecodedAudio:
    """A whole file's audio in memory: 32 KB for each second; raises as `open_decoding` does."""
    limits = limits or DecodeLimits()
    pcm = bytearray()
    async with open_decoding(source, limits) as decoding, aclosing(decoding.pieces()) as pieces:
        async for piece in pieces:
            pcm += piece
    return DecodedAudio(limits.format, bytes(pcm), decoding.source, decoding.damaged_packets)


def _opened(source: Path | bytes | BinaryIO) -> BinaryIO:
    if isinstance(source, Path):
        try:
            return source.open("rb")
        except OSError as error:
            raise UnreadableFile(f"{source.name} cannot be read: {error.strerror}.") from error
    if isinstance(source, bytes):
        copy = os.fdopen(os.memfd_create("audio"), "w+b")
        copy.write(source)
        copy.seek(0)
        return copy
    source.seek(0)
    return source


def _size_of(file: BinaryIO) -> int:
    try:
        # A small upload is in memory until somebody wants its descriptor.
        return os.fstat(file.fileno()).st_size
    except OSError as error:
        raise Unavailable(f"There is no place for the file: {error.strerror}.") from error


def _check_size(size: int, limits: DecodeLimits) -> None:
    if size > limits.max_file_bytes:
        raise TooLarge(
            f"The file has {size} bytes; {limits.max_file_bytes} are allowed.",
            {"limit": "max_file_bytes", "max": limits.max_file_bytes},
        )
    if not size:
        raise UnsupportedAudio("The file is empty.", {"reason": "empty"})


async def _spawn(file: BinaryIO, limits: DecodeLimits) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            str(SCRIPT),
            json.dumps(asdict(limits)),
            stdin=file,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            cwd="/",
            env={"PATH": "/usr/bin:/bin"},
        )
    except OSError as error:
        raise Unavailable(f"No process for decoding can be started: {error.strerror}.") from error


async def _end(process: asyncio.subprocess.Process, said_all: bool) -> None:
    if said_all:
        # To kill it while it ends would take its exit code from asyncio, which then warns.
        with suppress(TimeoutError):
            async with asyncio.timeout(END_S):
                await process.wait()
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.kill()
    await process.wait()
