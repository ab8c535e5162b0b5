"""A request's body as it comes, until there is more of it than may be."""

from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope

from orchestration.errors import TooLarge


def check_length(scope: Scope, max_bytes: int, limit: str, overhead_bytes: int = 0) -> None:
    """Raises TooLarge where the declared length is beyond `max_bytes`, the limit called `limit`,
    and the `overhead_bytes` that a form may have around its file."""
    declared = Headers(scope=scope).get("content-length", "")
    if declared.isdigit() and int(declared) > max_bytes + overhead_bytes:
        raise too_large(max_bytes, limit)


def counted(receive: Receive, max_bytes: int, limit: str, overhead_bytes: int = 0) -> Receive:
    """The same messages, until what is in them is too large; see `check_length`."""
    taken = 0

    async def receive_counted() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > max_bytes + overhead_bytes:
            raise too_large(max_bytes, limit)
        return message

    return receive_counted


def too_large(max_bytes: int, limit: str) -> TooLarge:
    return TooLarge(
        f"The body is over the limit of {max_bytes} bytes.", {"limit": limit, "max": max_bytes}
    )
