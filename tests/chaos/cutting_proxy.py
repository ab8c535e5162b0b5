"""A TCP proxy on loopback that cuts all its connections again and again."""

import asyncio
from types import TracebackType
from typing import Self

READ_BYTES = 65_536


class CuttingProxy:
    """An async context manager; what connects to `url` is passed on to `port` until the next cut.

    A cut resets both sides at once, in the middle of whatever they are saying.
    """

    def __init__(self, port: int, *, interval_s: float) -> None:
        self.cuts = 0
        """Connections cut so far."""
        self._port = port
        self._interval_s = interval_s
        self._server: asyncio.Server | None = None
        self._cutting: asyncio.Task[None] | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._pipes: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._cutting = asyncio.create_task(self._cut())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        assert self._cutting is not None
        self._server.close()
        self._cutting.cancel()
        self._abort_all()
        await asyncio.gather(self._cutting, *self._pipes, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            upstream_reader, upstream = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            writer.transport.abort()
            return
        for source, target in ((reader, upstream), (upstream_reader, writer)):
            pipe = asyncio.create_task(self._pipe(source, target))
            self._pipes.add(pipe)
            pipe.add_done_callback(self._pipes.discard)
        self._writers |= {writer, upstream}

    async def _pipe(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(READ_BYTES):
                target.write(data)
                await target.drain()
            target.write_eof()
        except (OSError, RuntimeError):
            return

    async def _cut(self) -> None:
        while True:
            await asyncio.sleep(self._interval_s)
            self._abort_all()

    def _abort_all(self) -> None:
        self.cuts += len(self._writers) // 2
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()
