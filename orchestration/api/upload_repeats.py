"""Files that are sent again because the first answer was lost: `Idempotency-Key`.

As the IETF's draft-ietf-httpapi-idempotency-key-header has it. A key is stored with the upload
that it made, and goes with that upload's session.
"""

import asyncio
import hashlib
from typing import BinaryIO

from orchestration.api.audio_forms import UploadForm
from orchestration.api.audio_jobs import Place, Uploads
from orchestration.api.audio_results import UploadResults
from orchestration.api.upload_job import UploadJob, UploadOrder
from orchestration.errors import KeyReused, RepeatUnderWay, UnknownJob, UnknownSession
from orchestration.storage.archive_ports import Archive
from orchestration.storage.upload_ports import RequestKey

MAX_KEY_CHARACTERS = 255
_CHARACTERS = rf"[!#-\[\]-~]{{1,{MAX_KEY_CHARACTERS}}}"
KEY_PATTERN = rf'^("{_CHARACTERS}"|{_CHARACTERS})$'
"""A string of RFC 8941 without blanks and escapes, or the same without its quotation marks."""


async def request_key(header: str, form: UploadForm, name: str, file: BinaryIO) -> RequestKey:
    """The key of a request; `file` is read, and is at its beginning afterwards."""

    def digest() -> bytes:
        fields = form.model_dump_json().encode("utf-8", "surrogatepass")
        content = hashlib.sha256()
        while piece := file.read(1 << 20):
            content.update(piece)
        file.seek(0)
        named = hashlib.sha256(name.encode("utf-8", "surrogatepass"))
        parts = (hashlib.sha256(fields), named, content)
        return hashlib.sha256(b"".join(part.digest() for part in parts)).digest()

    return RequestKey(header.strip('"'), await asyncio.to_thread(digest))


class UploadRepeats:
    """Jobs for files, one for each request however often it comes."""

    def __init__(self, archive: Archive, uploads: Uploads, results: UploadResults) -> None:
        self._archive = archive
        self._uploads = uploads
        self._results = results

    async def begun(self, order: UploadOrder, place: Place) -> UploadJob | str:
        """A job for the order, or the id of the one that the same request made before.

        Raises:
            KeyReused: another request had this key.
            RepeatUnderWay: the same request came at the same time, and its job is gone by now.
        """
        if order.key is None:
            return await self._uploads.start(order, place)
        earlier = await self._earlier(order.key)
        if earlier is not None:
            return earlier
        try:
            return await self._uploads.start(order, place)
        except RepeatUnderWay:
            # The two came at once.
            earlier = await self._earlier(order.key)
            if earlier is None:
                raise
            return earlier

    async def _earlier(self, key: RequestKey) -> str | None:
        """The job that the same request made before. None when it made none, or when that failed:
        the key is free then, and the file is to be heard."""
        found = await self._archive.upload_by_key(key.key)
        if found is None:
            return None
        if found.key != key:
            raise KeyReused(
                "Another request came with this Idempotency-Key: give each file a key of its own.",
                {"idempotency_key": key.key, "job_id": found.job_id},
            )
        try:
            view = await self._results.view(found.job_id)
            if view.status != "failed":
                return found.job_id
            await self._archive.free_upload_key(found)
        except (UnknownSession, UnknownJob):
            pass  # It was deleted meanwhile, and the key with it.
        return None
