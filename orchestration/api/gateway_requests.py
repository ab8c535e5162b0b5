"""What of a request may pass to a service behind, and what of its answer may come back. Pure."""

from collections.abc import Iterable, Sequence
from urllib.parse import unquote_to_bytes

from orchestration.errors import BadRequest

MAX_PATH_BYTES = 2_048
MAX_QUERY_BYTES = 8_192
MAX_DECODINGS = 3
"""How often a segment is decoded in search of one that means something else by then."""

HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers between two neighbours (RFC 9110, 7.6.1, and RFC 7230's list)."""

OUR_OWN = frozenset({"host", "authorization", "cookie", "origin", "referer", "forwarded"})
"""Between the caller and this service: its key and pages are no business of those behind."""

ANSWER_OWN = frozenset(
    {
        "set-cookie",
        "content-security-policy",
        "content-security-policy-report-only",
        "strict-transport-security",
        "access-control-allow-origin",
        "access-control-allow-credentials",
        "clear-site-data",
        "alt-svc",
        "server",
        "date",
    }
)
"""What a service behind may not say in this one's name."""

ANSWER_POLICY = "sandbox; default-src 'none'"
"""Content security policy of passed answers: a page of a service behind runs nothing here."""

REQUEST_ID, SERVICE_REQUEST_ID = "x-request-id", "X-Gateway-Request-ID"
"""An answer's id is this service's, which the one behind was told. Its own comes beside it."""

OWN_PREFIXES = ("x-forwarded-", "x-gateway-", "x-real-ip")


def inner_path(raw_path: bytes) -> str:
    """The path to ask a service for, from the encoded one below its name.

    Raises:
        BadRequest: it could leave the service, or mean another thing to the next reader.
    """
    if len(raw_path) > MAX_PATH_BYTES:
        raise _refused(f"The path is longer than {MAX_PATH_BYTES} bytes.")
    if not raw_path.isascii() or any(byte <= 0x20 or byte == 0x7F for byte in raw_path):
        raise _refused("The path has characters that have to be encoded.")
    segments = raw_path.split(b"/")
    for number, segment in enumerate(segments):
        if not segment and number < len(segments) - 1:
            raise _refused("The path has an empty segment.")
        _check_segment(segment)
    return raw_path.decode("ascii")


def _check_segment(segment: bytes) -> None:
    for _ in range(MAX_DECODINGS):
        if segment.partition(b";")[0] in (b".", b".."):
            raise _refused("The path has a segment that leads out of the service.")
        if any(byte < 0x20 or byte in b"\\#?\x7f" for byte in segment):
            raise _refused("The path has characters that no path needs.")
        decoded = unquote_to_bytes(segment)
        if decoded == segment:
            break
        if b"/" in decoded:
            raise _refused("The path has an encoded slash.")
        segment = decoded
    else:
        raise _refused("The path is encoded too many times over.")
    try:
        segment.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _refused("The path is not UTF-8.") from error


def inner_query(raw_query: bytes) -> str:
    """The query to ask with.

    Raises:
        BadRequest: it is too long, or not what a query may be.
    """
    if len(raw_query) > MAX_QUERY_BYTES:
        raise _refused(f"The query is longer than {MAX_QUERY_BYTES} bytes.")
    if not raw_query.isascii() or any(byte <= 0x20 or byte in b"#\x7f" for byte in raw_query):
        raise _refused("The query has characters that have to be encoded.")
    return raw_query.decode("ascii")


def passed_headers(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The caller's headers that go on."""
    headers = list(headers)
    dropped = HOP_BY_HOP | OUR_OWN | _named_in_connection(headers) | {"content-length"}
    return [
        (name, value)
        for name, value in headers
        if name.lower() not in dropped and not name.lower().startswith(OWN_PREFIXES)
    ]


def returned_headers(headers: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The service's headers that come back."""
    dropped = HOP_BY_HOP | ANSWER_OWN | _named_in_connection(headers)
    return [
        (SERVICE_REQUEST_ID if name.lower() == REQUEST_ID else name, value)
        for name, value in headers
        if name.lower() not in dropped and not name.lower().startswith("x-gateway-")
    ]


def _named_in_connection(headers: Sequence[tuple[str, str]]) -> set[str]:
    """Headers that `Connection` declares to be between neighbours too; never the body's length,
    which would let two readers see different bodies."""
    named = {
        token.strip().lower()
        for name, value in headers
        if name.lower() == "connection"
        for token in value.split(",")
    }
    return named - {"content-length", "content-type", "content-encoding"}


def _refused(message: str) -> BadRequest:
    return BadRequest(message, {"reason": "path"})
