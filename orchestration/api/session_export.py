"""HTTP: a whole session as one archive."""

from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import StreamingResponse

from orchestration.api.places import HeldResponse, Places
from orchestration.api.session_archive import SessionArchive
from orchestration.api.session_ids import SessionId
from orchestration.api.sessions import session_json
from orchestration.storage.data_ports import DataArchive
from orchestration.storage.recordings import Recordings

MAX_EXPORTS_AT_ONCE = 2
"""Archives sent at once by one process; one more is refused with 429."""


def session_export_router(
    archive: DataArchive, recordings: Recordings, work_dir: Path
) -> APIRouter:
    """`/api/sessions/{session_id}/export`; recordings are put together in `work_dir`."""
    router = APIRouter(prefix="/api/sessions/{session_id}", tags=["data"])
    places = Places(
        MAX_EXPORTS_AT_ONCE,
        "max_exports_at_once",
        "Other sessions are being exported; ask again in a while.",
    )

    @router.get(
        "/export",
        response_class=StreamingResponse,
        responses={200: {"content": {"application/zip": {}}}},
    )
    async def export(session_id: SessionId, request: Request) -> StreamingResponse:
        """All that is stored of a session as one ZIP archive; `manifest.json` has the hashes."""
        session = await archive.session(session_id)
        host = request.headers.get("host", "localhost")
        description = session_json(session, request.url.scheme, host)
        pieces = SessionArchive(archive, recordings, work_dir).pieces(session, description)
        headers = {"Content-Disposition": f'attachment; filename="{session_id}.zip"'}
        places.take()
        return HeldResponse(places, pieces, media_type="application/zip", headers=headers)

    return router
