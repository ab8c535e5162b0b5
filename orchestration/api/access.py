"""Who may come in: the key, tickets, browser sign-in, and the Origin of browser pages.

One key opens everything but `/api/health`. Keys and tickets exist outside of the caller only as
SHA-256 hashes, and never in a log: a ticket is taken out of the URL before anybody can log that.
"""

import hashlib
import hmac
import ipaddress
import secrets
from datetime import UTC, datetime, timedelta
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode, urlsplit

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from orchestration.api.problems import problem_for
from orchestration.api.sign_in_page import SIGN_IN_PAGE, SIGN_IN_POLICY
from orchestration.config.models import ServerSettings
from orchestration.errors import NotAllowed, NotAuthenticated, OrchestrationError
from orchestration.storage.archive_ports import Archive

OPEN_PATH = "/api/health"
SIGN_IN_PATH = "/api/sign-in"
TRIAL_PATH = "/try"
REFERENCE_PATH = "/docs"
PAGES = frozenset({"/", TRIAL_PATH, REFERENCE_PATH})
"""Where a browser that is not signed in may do so."""
COOKIE_NAME = "orchestration_sign_in"
TICKET_PARAMETER = "ticket"
TICKET_BYTES = 32
SAFE_METHODS = frozenset({"GET", "HEAD"})


def sha256(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def bearer_key(headers: Headers) -> str | None:
    """The key in `Authorization: Bearer KEY`, if there is one."""
    scheme, _, key = headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" and key.strip() else None


def take_ticket(scope: Scope) -> str | None:
    """The ticket of the URL, which is without it afterwards.

    The scope is changed in place: the server's access log reads this very object.
    """
    query = scope.get("query_string", b"")
    if TICKET_PARAMETER.encode() not in query:
        return None
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    tickets = [value for name, value in pairs if name == TICKET_PARAMETER]
    rest = [(name, value) for name, value in pairs if name != TICKET_PARAMETER]
    scope["query_string"] = urlencode(rest).encode()
    return tickets[0] if tickets else None


class AccessRules:
    """The decisions, by header and setting; only tickets and cookies need the database."""

    def __init__(self, server: ServerSettings, archive: Archive) -> None:
        self._key_hash = server.api_key_sha256
        self._allowed_origins = frozenset(
            origin.lower().rstrip("/") for origin in server.allowed_origins
        )
        allowed_names = {urlsplit(origin).hostname or "" for origin in self._allowed_origins}
        self._own_names = {"localhost", server.host.lower()} | allowed_names
        self._archive = archive

    @property
    def wants_key(self) -> bool:
        return self._key_hash is not None

    def key_is_right(self, key: str | None) -> bool:
        """Compared in constant time."""
        if self._key_hash is None:
            return True
        return key is not None and hmac.compare_digest(sha256(key).hex(), self._key_hash)

    def origin_is_right(self, headers: Headers) -> bool:
        """Whether the page that asks, if one does, is the service's own or an allowed one."""
        origin = headers.get("origin")
        if origin is None:
            return True
        return self._is_own_origin(origin, headers) or origin.lower() in self._allowed_origins

    def _is_own_origin(self, origin: str, headers: Headers) -> bool:
        try:
            name = urlsplit(origin.lower()).netloc
        except ValueError:
            return False
        return name == headers.get("host", "").lower() != ""

    def host_is_right(self, headers: Headers) -> bool:
        """Without a key the service is for this machine, and goes by its names only.

        Else a page that rebinds its own name to the loopback address could read transcripts: its
        Origin and Host would agree. Two names are never right (RFC 9112, 3.2).
        """
        if len(headers.getlist("host")) > 1:
            return False
        if self.wants_key:
            return True
        try:
            name = urlsplit(f"//{headers.get('host', '')}").hostname or ""
        except ValueError:
            return False
        return name != "" and (name in self._own_names or _is_loopback(name))

    async def cookie_is_right(self, headers: Headers, is_safe: bool) -> bool:
        """A signed-in browser may read; for the rest its page has to be the service's own."""
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE_NAME)
        except CookieError:
            return False
        if cookie is None:
            return False
        origin = headers.get("origin")
        if not is_safe and not (origin is not None and self.origin_is_right(headers)):
            return False
        return await self._archive.redeem_ticket(
            sha256(cookie.value), "browser", datetime.now(UTC), True
        )

    async def ticket_is_right(self, ticket: str | None) -> bool:
        """Uses the ticket up."""
        if ticket is None:
            return False
        return await self._archive.redeem_ticket(
            sha256(ticket), "websocket", datetime.now(UTC), False
        )


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


class AccessControl:
    """Middleware: lets a request or a handshake through, or answers it."""

    def __init__(self, app: ASGIApp, rules: AccessRules) -> None:
        self._app = app
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        ticket = take_ticket(scope)
        if scope["path"] != OPEN_PATH:
            try:
                await self._check(scope, ticket)
            except OrchestrationError as error:
                await _refusal(scope, error)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _check(self, scope: Scope, ticket: str | None) -> None:
        headers = Headers(scope=scope)
        is_websocket = scope["type"] == "websocket"
        is_safe = not is_websocket and scope["method"] in SAFE_METHODS
        if not self._rules.host_is_right(headers):
            raise NotAllowed("This service is open to its own machine only, by its own name.")
        if not is_safe and not self._rules.origin_is_right(headers):
            raise NotAllowed("Pages of this origin may not use the service.")
        if not self._rules.wants_key:
            return
        key = bearer_key(headers)
        if key is not None:
            if not self._rules.key_is_right(key):
                raise NotAuthenticated("This key is not the service's.")
            return
        if is_websocket and await self._rules.ticket_is_right(ticket):
            return
        if not await self._rules.cookie_is_right(headers, is_safe):
            raise NotAuthenticated("The service wants its key: Authorization: Bearer KEY.")


def _refusal(scope: Scope, error: OrchestrationError) -> Response:
    is_page = scope["type"] == "http" and scope["path"] in PAGES and error.http_status == 401
    if not is_page:
        return problem_for(error)
    headers = {"Content-Security-Policy": SIGN_IN_POLICY, "WWW-Authenticate": "Bearer"}
    return HTMLResponse(SIGN_IN_PAGE, status_code=401, headers=headers)


class TicketView(BaseModel):
    """A ticket for one WebSocket: `?ticket=…`, once, within `expires_in` seconds."""

    ticket: str
    expires_in: int


def access_router(server: ServerSettings, rules: AccessRules, archive: Archive) -> APIRouter:
    """`/api/tickets` and `/api/sign-in`."""
    router = APIRouter(prefix="/api", tags=["access"])

    async def new_ticket(kind: str, lifetime_s: int) -> str:
        ticket = secrets.token_urlsafe(TICKET_BYTES)
        expires_at = datetime.now(UTC) + timedelta(seconds=lifetime_s)
        await archive.store_ticket(sha256(ticket), kind, expires_at)
        return ticket

    @router.post("/tickets", status_code=201)
    async def tickets() -> TicketView:
        """A single-use ticket, for a browser's WebSocket that cannot send a header."""
        lifetime_s = server.ticket_lifetime_s
        return TicketView(ticket=await new_ticket("websocket", lifetime_s), expires_in=lifetime_s)

    @router.post("/sign-in", status_code=204)
    async def sign_in(request: Request, response: Response) -> None:
        """Exchange the key (Bearer) for a browser's cookie. Without a key set, nothing to do."""
        if not rules.wants_key:
            return
        if not rules.key_is_right(bearer_key(request.headers)):
            raise NotAuthenticated("Signing in takes the service's key: Authorization: Bearer KEY.")
        response.set_cookie(
            COOKIE_NAME,
            await new_ticket("browser", server.sign_in_lifetime_s),
            max_age=server.sign_in_lifetime_s,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )

    return router
