"""Files that are sent again because the first answer was lost: `Idempotency-Key`.

As the IETF's draft-ietf-httpapi-idempotency-key-header has it. A key is stored with the upload
that it made, and goes with that upload's session.
"""

import asyncio
import hashlib
from typing import BinaryIO

from orchestration.api.audio_forms import UploadForm
from orchestration.api.audio_results import UploadResults
from orchestration.errors import KeyReused, UnknownJob, UnknownSession
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
    """Which requests have come before."""

    def __init__(self, archive: Archive, results: UploadResults) -> None:
        self._archive = archive
        self._results = results

    async def earlier(self, key: RequestKey) -> str | None:
        """The job that the same request made before. None when it made none, or when that failed:
        the key is free then, and the file is to be heard.

        Raises:
            KeyReused: another request had this key.
        """
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
