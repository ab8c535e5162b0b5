"""Google's token service and Meet's REST API, as their published references say, over real HTTP.

Requests are held to the reference: a bearer token that was issued and has not been revoked, known
paths, page sizes within bounds, filters by the fields that may be filtered. What breaks a rule is
answered with 400 and kept in `faults`.
"""

import re
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import jwt

from orchestration.json_types import JsonObject
from tests.doubles.faulty_server import FaultyServer

SCOPE = "https://www.googleapis.com/auth/meetings.space.readonly"
AUDIENCE = "https://oauth2.googleapis.com/token"
"""Of signed claims, wherever they are exchanged."""

JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"

LONGEST_PAGES: Mapping[str, int] = {
    "conferenceRecords": 100,
    "participants": 250,
    "participantSessions": 250,
    "transcripts": 100,
    "entries": 100,
}
FIELDS = {"entries": "transcriptEntries"}
STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}

_CONDITION = re.compile(
    r'space\.meeting_code = "([a-z]+-[a-z]+-[a-z]+)"'
    r'(?: AND start_time>="(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)")?'
)
_PATH = re.compile(
    r"conferenceRecords(?:/[\w-]+(?:/participants(?:/[\w-]+/participantSessions)?"
    r"|/transcripts(?:/[\w-]+/entries)?))?"
)


def meet_error(status: int, message: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """An error in the form that all of Google's APIs have."""
    error = {"code": status, "message": message, "status": STATUSES[status]}
    return web.json_response({"error": error}, status=status, headers=headers)


class GoogleMeetDouble(FaultyServer):
    """`records` are the rows of each list, by its path; `codes` name the spaces of conferences.

    `failures` are taken one for each API request, before it is looked at: a status, and headers.
    Pages have at most `page_rows` rows, however many were asked for, as the reference allows.
    """

    def __init__(self) -> None:
        super().__init__()
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.records: dict[str, list[JsonObject]] = {"conferenceRecords": []}
        self.codes: dict[str, str] = {}
        self.failures: deque[tuple[int, dict[str, str]]] = deque()
        self.faults: list[str] = []
        self.requests: list[str] = []
        self.page_rows = 1000
        self.token_lifetime_s = 3600
        self.tokens_issued = 0
        self.revoked: set[str] = set()
        self.grants: list[Mapping[str, Any]] = []
        self.refuses_accounts = False
        self.app.router.add_post("/token", self._token)
        self.app.router.add_get("/v2/{path:.*}", self._page)

    @property
    def service_account(self) -> JsonObject:
        """A key file, as Google issues it."""
        pem = self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return {
            "type": "service_account",
            "project_id": "meetings",
            "private_key_id": "1",
            "private_key": pem.decode(),
            "client_email": "bot@meetings.iam.gserviceaccount.com",
            "client_id": "1",
            "token_uri": f"{self.url}/token",
        }

    @property
    def authorized_user(self) -> JsonObject:
        """What a user's consent leaves on disk."""
        return {
            "type": "authorized_user",
            "client_id": "client",
            "client_secret": "client-secret",
            "refresh_token": "refresh-secret",
            "token_uri": f"{self.url}/token",
        }

    def hold(
        self, name: str, code: str, start: str, end: str | None = None, space: str = "spaces/one"
    ) -> None:
        """A conference under a meeting code; the newest is listed first."""
        row: JsonObject = {"name": name, "startTime": start, "space": space}
        if end is not None:
            row["endTime"] = end
        self.records["conferenceRecords"].insert(0, row)
        self.codes[name] = code

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        if self.refuses_accounts:
            body = {"error": "invalid_grant", "error_description": "Account has been deleted"}
            return web.json_response(body, status=400)
        if form.get("grant_type") == JWT_GRANT:
            public = self.key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            claims = jwt.decode(  # type: ignore[no-untyped-call]
                str(form["assertion"]), certs=public, audience=AUDIENCE
            )
            self.grants.append(claims)
        elif form.get("grant_type") == "refresh_token":
            self.grants.append({name: str(value) for name, value in form.items()})
        else:
            return web.json_response({"error": "unsupported_grant_type"}, status=400)
        self.tokens_issued += 1
        token = {
            "access_token": f"token-{self.tokens_issued}",
            "expires_in": self.token_lifetime_s,
            "token_type": "Bearer",
            "scope": SCOPE,
        }
        return web.json_response(token)

    async def _page(self, request: web.Request) -> web.StreamResponse:
        path = request.match_info["path"]
        self.requests.append(path)
        if self.failures:
            status, headers = self.failures.popleft()
            return meet_error(status, "as told", headers)
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        known = {f"token-{number}" for number in range(1, self.tokens_issued + 1)}
        if token not in known - self.revoked:
            return meet_error(401, "Request had invalid authentication credentials.")
        fault = self._fault(path, request.query)
        if fault is not None:
            self.faults.append(fault)
            return meet_error(400, fault)
        if path not in self.records:
            return meet_error(404, "Requested entity was not found.")
        rows = self._rows(path, request.query.get("filter"))
        first = int(request.query.get("pageToken", "0"))
        size = min(int(request.query.get("pageSize", "10")), self.page_rows)
        list_name = path.rpartition("/")[2]
        # Lists that are empty are left out, as in all of Google's JSON.
        page: dict[str, Any] = {}
        if rows[first : first + size]:
            page[FIELDS.get(list_name, list_name)] = rows[first : first + size]
        if first + size < len(rows):
            page["nextPageToken"] = str(first + size)
        return await self.respond(request, page)

    def _fault(self, path: str, query: Mapping[str, str]) -> str | None:
        if not _PATH.fullmatch(path):
            return f"no such path: {path}"
        if extra := set(query) - {"pageSize", "pageToken", "filter"}:
            return f"unknown parameters: {sorted(extra)}"
        longest = LONGEST_PAGES[path.rpartition("/")[2]]
        if not 1 <= int(query.get("pageSize", "10")) <= longest:
            return f"pageSize must be 1 to {longest}"
        condition = query.get("filter")
        if condition is not None and (
            path != "conferenceRecords" or not _CONDITION.fullmatch(condition)
        ):
            return f"cannot filter by {condition}"
        return None

    def _rows(self, path: str, condition: str | None) -> Sequence[JsonObject]:
        rows = self.records[path]
        found = _CONDITION.fullmatch(condition or "")
        if found is None:
            return rows
        code, since = found.groups()
        return [
            row
            for row in rows
            if self.codes[str(row["name"])] == code
            and (since is None or _moment(str(row["startTime"])) >= _moment(since))
        ]


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
