"""With a key, nothing of the service but its health is open, to whomever asks and however."""

import asyncio
import contextlib
import ipaddress
from collections.abc import AsyncIterator, Iterator
from http.cookies import SimpleCookie
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from tests.acceptance.raw_client import Answer, Service, end, frame
from tests.service import RunningService, files_below, service

KEY = "a key for acceptance 0123456789"
WRONG_KEY = "a key for acceptance 012345678X"
TICKET_LIFETIME_S = 5
HELLO_TIMEOUT_S = 4
SETTINGS = f"""
server: {{ticket_lifetime_s: {TICKET_LIFETIME_S}}}
ingest: {{hello_timeout_s: {HELLO_TIMEOUT_S}}}
sessions: {{abandoned_after_s: 2}}
"""
NOWHERE = "http://127.0.0.1:9"
"""No audio here has words, so the engines that the service is told of need not exist."""
SILENCE = bytes(3200)
PAGES_TO_SIGN_IN = ("/", "/try", "/docs")
"""Where browsers begin: their refusal is a form for the key."""
REFUSED = (401, "not_authenticated")
FORBIDDEN = (403, "not_allowed")
FOREIGN = {"Origin": "https://evil.example"}
ALLOWED = "https://meetings.example"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    folder: Path = tmp_path_factory.mktemp("guarded")
    config = folder / "config.yaml"
    config.write_text(SETTINGS)
    with service(
        folder / "data",
        HOST="0.0.0.0",
        ORCHESTRATION_API_KEY=KEY,
        ORCHESTRATION_CONFIG=str(config),
        ALLOWED_ORIGINS=ALLOWED,
        WHISPER_SERVICE_URL=NOWHERE,
        TRANSLATION_SERVICE_URL=NOWHERE,
    ) as started:
        yield started


def local_url(guarded: RunningService) -> str:
    return f"http://127.0.0.1:{guarded.url.rpartition(':')[2].strip('/')}"


@pytest_asyncio.fixture
async def stranger(guarded: RunningService) -> AsyncIterator[Service]:
    """Somebody without the key."""
    async with Service.at(local_url(guarded)) as connected:
        yield connected


@pytest_asyncio.fixture
async def owner(guarded: RunningService) -> AsyncIterator[Service]:
    """Somebody with the key."""
    async with Service.at(local_url(guarded), KEY) as connected:
        yield connected


@pytest_asyncio.fixture(scope="module")
async def session_id(guarded: RunningService) -> str:
    """A session that exists."""
    async with Service.at(local_url(guarded), KEY) as owner:
        await owner.create("ac-one")
    return "ac-one"


async def ticket(owner: Service) -> str:
    answer = await owner.ask("POST", "/api/tickets")
    assert answer.status == 201
    assert set(answer.json) == {"ticket", "expires_in"}
    assert answer.json["expires_in"] == TICKET_LIFETIME_S
    given: str = answer.json["ticket"]
    return given


async def sign_in(owner: Service) -> dict[str, str]:
    """The header by which a signed-in browser is known."""
    answer = await owner.ask("POST", "/api/sign-in")
    assert answer.status == 204
    cookie = SimpleCookie(answer.headers["Set-Cookie"])
    ((name, morsel),) = cookie.items()
    assert morsel["httponly"]
    assert morsel["samesite"].lower() == "strict"
    assert KEY not in morsel.value
    return {"Cookie": f"{name}={morsel.value}"}


# The key


async def test_every_route_but_health_wants_the_key(
    owner: Service, stranger: Service, session_id: str
) -> None:
    routes = [
        (method.upper(), path.replace("{session_id}", session_id))
        for path, methods in (await owner.get("/openapi.json"))["paths"].items()
        for method in methods
    ]
    assert len(routes) > 10
    pages = ["/", "/docs", "/openapi.json", "/static/app.js", "/nothing", "/api/health/", "//"]
    for method, path in [*routes, *(("GET", page) for page in pages)]:
        if path == "/api/health":
            continue
        for headers in ({}, {"Authorization": f"Bearer {WRONG_KEY}"}):
            answer = await stranger.ask(method, path, headers=headers)
            assert answer.status == 401, (method, path, headers, answer.body)
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            if path.startswith("/v1/"):
                assert answer.json["error"]["code"] == REFUSED[1]
            elif path not in PAGES_TO_SIGN_IN:
                assert answer.problem() == REFUSED
    assert (await stranger.ask("GET", "/api/health")).status in (200, 503)
    assert (await owner.get(f"/api/sessions/{session_id}"))["status"] == "created"


@pytest.mark.parametrize("kind", ["ingest", "live"])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": f"Bearer {WRONG_KEY}"},
        {"Authorization": f"Basic {KEY}"},
        {"Authorization": "Bearer "},
        {"Authorization": f"Bearer {KEY} {KEY}"},
    ],
    ids=["no key", "wrong key", "another scheme", "empty", "twice"],
)
async def test_a_socket_without_the_key_is_not_upgraded(
    stranger: Service, session_id: str, kind: str, headers: dict[str, str]
) -> None:
    for one in (session_id, "ac-none"):
        assert (await stranger.knock(f"/ws/{kind}/{one}", headers)).problem() == REFUSED
        wrong = await stranger.knock(f"/ws/{kind}/{one}?ticket={KEY}", headers)
        assert wrong.problem() == REFUSED


async def test_the_key_opens_routes_and_sockets(owner: Service, session_id: str) -> None:
    assert (await owner.get("/api/sessions"))["items"]
    assert (await owner.ask("GET", "/static/app.js")).status == 200
    assert (await owner.knock(f"/ws/live/{session_id}")).status == 101
    assert (await owner.knock(f"/ws/ingest/{session_id}")).status == 101
    assert (await owner.knock("/ws/ingest/ac-none")).problem() == (404, "unknown_session")


async def test_the_monitor_measures_the_machine(owner: Service) -> None:
    board = await owner.get("/api/dashboard")
    percentages = {"memory_percent", "cpu_percent", "disk_percent"}
    assert board["system"].keys() == {*percentages, "loop_lag_ms"}
    assert all(0 <= board["system"][name] <= 100 for name in percentages)
    assert (await owner.get("/api/alerts")).keys() == {"items", "next_before", "timestamp"}


# Tickets


async def test_a_ticket_opens_one_socket_once(
    owner: Service, stranger: Service, session_id: str
) -> None:
    path = f"/ws/live/{session_id}?ticket={await ticket(owner)}"
    assert (await stranger.knock(path)).status == 101
    assert (await stranger.knock(path)).problem() == REFUSED


async def test_a_ticket_is_for_sockets_only(owner: Service, stranger: Service) -> None:
    given = await ticket(owner)
    assert (await stranger.ask("GET", f"/api/sessions?ticket={given}")).problem() == REFUSED
    as_key = {"Authorization": f"Bearer {given}"}
    assert (await stranger.ask("GET", "/api/sessions", headers=as_key)).problem() == REFUSED


async def test_a_ticket_does_not_outlive_its_time(
    owner: Service, stranger: Service, session_id: str
) -> None:
    given = await ticket(owner)
    await asyncio.sleep(TICKET_LIFETIME_S)
    answer = await stranger.knock(f"/ws/live/{session_id}?ticket={given}")
    assert answer.problem() == REFUSED


# Browsers


async def test_a_browser_without_the_key_is_asked_for_it(stranger: Service) -> None:
    answer = await stranger.ask("GET", "/")
    assert (answer.status, answer.headers["Content-Type"]) == (401, "text/html; charset=utf-8")
    assert b'type="password"' in answer.body
    wrong = await stranger.ask("POST", "/api/sign-in", headers={"Authorization": "Bearer no"})
    assert wrong.problem() == REFUSED


async def test_a_signed_in_browser_reads_and_writes_from_the_own_pages_only(
    owner: Service, stranger: Service, session_id: str
) -> None:
    cookie = await sign_in(owner)
    own = {"Origin": stranger.url}
    for path in ("/", "/docs", "/static/app.js", "/static/style.css", "/api/sessions"):
        assert (await stranger.ask("GET", path, headers=cookie)).status == 200

    asked = await stranger.ask("POST", "/api/tickets", headers={**cookie, **own})
    assert asked.status == 201
    live = f"/ws/live/{session_id}?ticket={asked.json['ticket']}"
    assert (await stranger.knock(live, own)).status == 101
    foreign = await stranger.ask("POST", "/api/tickets", headers={**cookie, **FOREIGN})
    assert foreign.problem() == FORBIDDEN
    without = await stranger.ask("POST", "/api/tickets", headers=cookie)
    assert without.problem() == REFUSED
    forged = {"Cookie": cookie["Cookie"][:-4] + "AAAA"}
    assert (await stranger.ask("GET", "/api/sessions", headers=forged)).problem() == REFUSED


async def test_pages_of_other_origins_open_and_change_nothing(
    owner: Service, session_id: str
) -> None:
    for kind in ("ingest", "live"):
        answer = await owner.knock(f"/ws/{kind}/{session_id}", FOREIGN)
        assert answer.problem() == FORBIDDEN
        assert (await owner.knock(f"/ws/{kind}/{session_id}", {"Origin": ALLOWED})).status == 101
    refused: list[Answer] = [
        await owner.ask("POST", "/api/sessions", {}, headers=FOREIGN),
        await owner.ask("POST", f"/api/sessions/{session_id}/end", headers=FOREIGN),
        await owner.ask("DELETE", f"/api/sessions/{session_id}", headers=FOREIGN),
        await owner.ask("POST", "/api/tickets", headers={"Origin": "null"}),
    ]
    assert [answer.problem() for answer in refused] == [FORBIDDEN] * 4
    assert (await owner.get(f"/api/sessions/{session_id}"))["session_id"] == session_id


# Time limits of sessions, which this service has short


async def test_a_socket_that_says_no_hello_is_closed(owner: Service, session_id: str) -> None:
    async with owner.ingest(session_id) as bot:
        assert await bot.failed() == ("bad_request", 4000)
    last = bot.heard[-1]
    assert (last["limit"], last["max"]) == ("hello_timeout_s", HELLO_TIMEOUT_S)


async def test_a_session_whose_bot_stays_away_is_abandoned_and_completed(owner: Service) -> None:
    await owner.create("ac-abandoned")
    async with owner.ingest("ac-abandoned") as bot:
        await bot.greeted()
        await bot.send(frame(0, 0, SILENCE))
        await bot.acked(0)
        bot.cut()
    await owner.status_is("ac-abandoned", "completed")
    statuses = [one["status"] for one in await owner.events("ac-abandoned") if "status" in one]
    assert statuses == ["active", "abandoned", "ending", "completed"]
    coverage = (await owner.get("/api/sessions/ac-abandoned/coverage"))["streams"]
    assert [(one["duration"], one["lost"]) for one in coverage] == [(1600, 0)]
    async with owner.ingest("ac-abandoned") as bot:
        await bot.say(end({0: 0}))
        assert await bot.failed() == ("bad_request", 4000)


# What is left behind


def readable(log: Path) -> bytes:
    try:
        return log.read_bytes()
    except OSError:  # A socket, or gone by now.
        return b""


async def test_no_file_has_the_key_or_a_ticket(
    owner: Service, stranger: Service, guarded: RunningService, session_id: str
) -> None:
    cookie = await sign_in(owner)
    used, unused = await ticket(owner), await ticket(owner)
    assert (await stranger.knock(f"/ws/live/{session_id}?ticket={used}")).status == 101
    assert (await stranger.ask("GET", f"/api/sessions?ticket={unused}")).status == 401
    await stranger.ask("GET", f"/api/health?ticket={unused}")
    secrets = [KEY, used, unused, cookie["Cookie"].partition("=")[2]]
    logs = files_below(guarded.data_dir.parent)
    found = [
        (str(log), secret)
        for log in logs
        if log.is_file() and not log.is_symlink()
        for content in [readable(log)]
        for secret in secrets
        if secret.encode() in content
    ]
    assert found == []


def processes_of(guarded: RunningService) -> Iterator[psutil.Process]:
    """Those that the service started: its data directory is in their environment."""
    for process in psutil.process_iter():
        try:
            if process.environ().get("ORCHESTRATION_DATA_DIR") == str(guarded.data_dir):
                yield process
        except psutil.Error:
            continue


def listening(process: psutil.Process) -> Iterator[tuple[str, str, int]]:
    """Its name, and the addresses and ports where it listens."""
    # Ray's idle workers end when they like.
    with contextlib.suppress(psutil.NoSuchProcess):
        name = process.name().partition(":")[0]
        for socket in process.net_connections("inet"):
            if socket.status == psutil.CONN_LISTEN:
                yield name, socket.laddr.ip, socket.laddr.port


def is_loopback(address: str) -> bool:
    parsed = ipaddress.ip_address(address)
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return (mapped or parsed).is_loopback


def test_only_the_one_port_is_open_to_other_machines(guarded: RunningService) -> None:
    beyond = {
        (name, port)
        for process in processes_of(guarded)
        for name, address, port in listening(process)
        if not is_loopback(address)
    }
    own = ("haproxy", int(guarded.url.rpartition(":")[2].strip("/")))
    assert own in beyond
    # Serve's replicas talk gRPC to each other on every interface, for which Ray wants its token.
    assert {name for name, _ in beyond - {own}} <= {"ray"}
    assert len(beyond - {own}) <= len(list(replicas_of(guarded)))


def replicas_of(guarded: RunningService) -> Iterator[psutil.Process]:
    return (
        process
        for process in processes_of(guarded)
        if process.name().startswith("ray::ServeReplica")
    )
