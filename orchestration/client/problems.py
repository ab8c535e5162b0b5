"""What the service said went wrong, as the matching error of the tree."""

from collections.abc import Iterator, Mapping

from orchestration.errors import (
    BadAudio,
    BadRequest,
    FrameConflict,
    LimitReached,
    NotAllowed,
    NotAuthenticated,
    OrchestrationError,
    SessionEnded,
    TakenOver,
    TooLarge,
    Unavailable,
    UnknownSession,
)
from orchestration.json_types import JsonObject

_BY_HTTP_STATUS: Mapping[int, type[OrchestrationError]] = {
    401: NotAuthenticated,
    403: NotAllowed,
    404: UnknownSession,
    413: TooLarge,
    429: LimitReached,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}
_UNSAID: Mapping[type[OrchestrationError], str] = {
    NotAuthenticated: "The service wants its key, and got none or another.",
    UnknownSession: "The service knows no such session.",
}
_STANDARD_MEMBERS = frozenset({"type", "title", "status", "detail", "instance", "code"})


def _tree(root: type[OrchestrationError]) -> Iterator[type[OrchestrationError]]:
    for child in root.__subclasses__():
        yield child
        yield from _tree(child)


_BY_CODE = {error.code: error for error in _tree(OrchestrationError)}
_BY_CLOSE_CODE: Mapping[int, tuple[type[OrchestrationError], str]] = {
    1008: (NotAllowed, "The service does not allow this connection: check the API key."),
    1009: (TooLarge, "The service refused a message as too large."),
    4000: (BadRequest, "The service did not understand this client."),
    4004: (UnknownSession, "The service knows no such session."),
    4008: (BadAudio, "The service refused the audio."),
    4009: (FrameConflict, "The service holds other audio under the same numbers."),
    4010: (SessionEnded, "The session has ended and takes no more audio."),
    4103: (TakenOver, "A newer connection serves this session; this one stays away."),
}


def error_for_code(
    code: object, message: str, facts: JsonObject, fallback: type[OrchestrationError]
) -> OrchestrationError:
    """The error whose `code` this is, else `fallback`."""
    return _BY_CODE.get(str(code), fallback)(message, facts)


def error_for_problem(http_status: int, problem: JsonObject) -> OrchestrationError:
    """The error behind an RFC 9457 problem body, or OpenAI's form of one; an empty body is judged
    by its status."""
    openai = problem.get("error")
    if isinstance(openai, dict):
        problem = {"detail": openai.get("message"), "code": openai.get("code")}
    default = Unavailable if http_status >= 500 else BadRequest
    fallback = _BY_HTTP_STATUS.get(http_status, default)
    message = problem.get("detail") or problem.get("title")
    facts = {key: value for key, value in problem.items() if key not in _STANDARD_MEMBERS}
    unsaid = _UNSAID.get(fallback, f"The service answered with HTTP status {http_status}.")
    return error_for_code(problem.get("code"), str(message or unsaid), facts, fallback)


def named(error: OrchestrationError, session_id: str) -> OrchestrationError:
    """The error, with the session that there is not: a refused WebSocket's has no name."""
    if not isinstance(error, UnknownSession):
        return error
    return UnknownSession(f"There is no session {session_id!r}.", {"session_id": session_id})


def error_for_close(close_code: int | None) -> OrchestrationError | None:
    """The error behind a WebSocket close that a reconnect cannot mend; None for the others."""
    known = _BY_CLOSE_CODE.get(close_code or 0)
    return known[0](known[1], {"close_code": close_code}) if known else None
