"""An erasure's receipt on the wire."""

from pydantic import BaseModel

from orchestration.session.events import iso_utc
from orchestration.storage.erasure_ports import ErasureKind, ErasureReceipt


class ErasureView(BaseModel):
    """What an erasure removed or overwrote: rows by table, files and their bytes."""

    erasure_id: int
    kind: ErasureKind
    sessions: int
    rows: dict[str, int]
    files: int
    bytes: int
    erased_at: str


def erasure_view(receipt: ErasureReceipt) -> ErasureView:
    return ErasureView(
        erasure_id=receipt.erasure_id,
        kind=receipt.kind,
        sessions=receipt.sessions,
        rows=dict(receipt.rows),
        files=receipt.files,
        bytes=receipt.bytes,
        erased_at=iso_utc(int(receipt.erased_at.timestamp() * 1000)),
    )
