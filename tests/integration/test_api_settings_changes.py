"""Settings changed by HTTP, over PostgreSQL: stored, applied, told of, and taken back."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from orchestration.client.api import OrchestrationClient
from orchestration.config.environment import hash_key
from orchestration.errors import (
    BadRequest,
    SessionEnded,
    SettingsConflict,
    SettingsRefused,
    UnknownSettings,
)
from orchestration.json_types import JsonObject
from orchestration.storage.migrations import migrate
from orchestration.storage.pool import Pool, connect_pool
from orchestration.storage.postgres_settings import PostgresSettings
from orchestration.storage.values import SessionRow
from tests.database import execute, temporary_server
from tests.doubles.api_server import ApiServer, api_server

KEY = "hunter3"
WHISPER: JsonObject = {"url": "http://w:1", "kind": "openai", "api_key": KEY}
LONGER: JsonObject = {"sessions": {"chunking": {"chunk_ms": 5000}}}


@pytest.fixture(scope="module")
def dsn() -> Iterator[str]:
    with temporary_server() as started:
        yield started


@pytest.fixture
async def pool(dsn: str) -> AsyncIterator[Pool]:
    await migrate(dsn, connect_timeout_s=10)
    await execute(dsn, "TRUNCATE bot_sessions.settings_versions")
    pool = await connect_pool(dsn, min_size=1, max_size=2, connect_timeout_s=10)
    yield pool
    await pool.close()


@pytest.fixture
async def server(tmp_path: Path, pool: Pool) -> AsyncIterator[ApiServer]:
    services = {"whisper": [WHISPER]}
    async with api_server(tmp_path, store=PostgresSettings(pool), services=services) as running:
        yield running


@pytest.fixture
async def client(server: ApiServer) -> AsyncIterator[OrchestrationClient]:
    async with OrchestrationClient(server.url) as client:
        yield client


async def chunk_ms(client: OrchestrationClient) -> Any:
    settings: Any = (await client.settings())["settings"]
    return settings["sessions"]["chunking"]["chunk_ms"]


@pytest.mark.parametrize("path", ["/api/settings", "/api/config"])
async def test_a_change_holds_at_once_and_says_who_made_it(server: ApiServer, path: str) -> None:
    body = {"settings": LONGER, "comment": "até já"}
    status, answer = await server.json("POST", path, json=body)
    assert status == 200
    change = {"setting": "sessions.chunking.chunk_ms", "before": 4000, "after": 5000}
    assert answer.pop("changed_at")
    assert answer == {
        "version": 1,
        "changed_by": "127.0.0.1",
        "comment": "até já",
        "updated": ["sessions.chunking.chunk_ms"],
        "changes": [change],
    }
    _, shown = await server.json("GET", "/api/settings")
    assert (shown["version"], shown["stored"]) == (1, LONGER)
    _, config = await server.json("GET", "/api/config")
    assert config["session_settings"]["chunk_ms"] == 5000  # type: ignore[index,call-overload]
    _, history = await server.json("GET", "/api/settings/history")
    assert history["items"] == [{**answer, "changed_at": history["items"][0]["changed_at"]}]  # type: ignore[index,call-overload]


async def test_a_key_is_named_as_such_and_never_shown(tmp_path: Path, pool: Pool) -> None:
    key = "k" * 20
    server = {"api_key_sha256": hash_key(key)}
    async with (
        api_server(tmp_path, store=PostgresSettings(pool), server=server) as running,
        OrchestrationClient(running.url, key) as client,
    ):
        assert (await client.change_settings(LONGER))["changed_by"] == "key from 127.0.0.1"
        assert key not in str(await client.settings())


async def test_a_change_that_will_not_do_changes_nothing_and_names_every_fault(
    server: ApiServer, client: OrchestrationClient
) -> None:
    patch: JsonObject = {
        "sessions": {"chunking": {"chunk_ms": 100}, "max_open": 3},
        "server": {"port": 1},
        "services": {"whisper": [WHISPER]},
    }
    status, problem = await server.json("POST", "/api/settings", json={"settings": patch})
    assert (status, problem["code"]) == (422, "settings_refused")
    faults: Any = problem["faults"]
    assert set(faults) == {"sessions.chunking.chunk_ms", "server.port", "services.whisper"}
    assert KEY not in str(problem)
    with pytest.raises(SettingsRefused):
        await client.change_settings(patch)
    state: Any = await client.settings()
    assert (state["version"], state["stored"]) == (0, {})
    assert state["settings"]["sessions"]["max_open"] == 1000


async def test_who_changes_what_has_changed_meanwhile_is_told_so(
    server: ApiServer, client: OrchestrationClient
) -> None:
    await client.change_settings(LONGER, version=0)
    with pytest.raises(SettingsConflict):
        await client.change_settings({"log_level": "DEBUG"}, version=0)
    body = {"settings": {"log_level": "DEBUG"}}
    for etag, expected in (('"0"', 409), ('W/"1"', 200), ('"x"', 400), ("*", 200)):
        status, _ = await server.json(
            "POST", "/api/settings", json=body, headers={"If-Match": etag}
        )
        assert status == expected, etag


async def test_two_at_once_are_made_one_after_the_other(client: OrchestrationClient) -> None:
    patches: list[JsonObject] = [{"sessions": {"max_open": number}} for number in range(1, 9)]
    answers = await asyncio.gather(*(client.change_settings(patch) for patch in patches))
    assert sorted(int(str(one["version"])) for one in answers) == list(range(1, 9))


async def test_versions_are_gone_back_to_and_reset(client: OrchestrationClient) -> None:
    await client.change_settings(LONGER)
    await client.change_settings({"sessions": {"chunking": {"chunk_ms": 8000}}})
    assert (await client.roll_settings_back(1))["version"] == 3
    assert await chunk_ms(client) == 5000
    with pytest.raises(UnknownSettings):
        await client.roll_settings_back(99)
    await client.reset_settings(["sessions.chunking"])
    assert await chunk_ms(client) == 4000
    with pytest.raises(SettingsRefused):
        await client.reset_settings(["sessions.chunking"])
    await client.roll_settings_back(3)
    await client.roll_settings_back(0)
    assert (await client.settings())["stored"] == {}
    page: Any = await client.settings_history(limit=4)
    assert [one["version"] for one in page["items"]] == [6, 5, 4, 3]
    rest: Any = await client.settings_history(before=page["next_before"])
    assert [one["version"] for one in rest["items"]] == [2, 1]
    assert rest["next_before"] is None


async def test_what_is_exported_can_be_read_and_imported(client: OrchestrationClient) -> None:
    await client.change_settings({**LONGER, "log_level": "WARNING"})
    text = await client.export_settings()
    assert yaml.safe_load(text) == {**LONGER, "log_level": "WARNING"}
    whole = await client.export_settings(whole=True)
    assert "hunter" not in whole
    await client.change_settings({"sessions": {"warm_actors": 3}})
    assert (await client.import_settings(text))["updated"] == ["sessions.warm_actors"]
    await client.import_settings(whole)
    assert await chunk_ms(client) == 5000
    state: Any = await client.settings()
    assert state["settings"]["services"]["whisper"][0]["api_key"] == "(hidden)"
    assert "hunter" not in str(state)


@pytest.mark.parametrize(
    "text",
    [
        "[1, 2]",
        "a: &x [1]\nb: *x",
        "a: {b: 2026-01-01}",
        "1: 2",
        "a: [",
        "[" * 20_000,
        "a: !!python/object:os.x {}",
        "\xff",
    ],
)
async def test_a_file_that_is_no_plain_mapping_is_refused(server: ApiServer, text: str) -> None:
    body = text.encode("latin-1")
    async with server.client.post(f"{server.url}/api/settings/import", data=body) as response:
        problem = await response.json()
    assert (response.status, problem["code"]) == (400, "bad_request")
    assert (await server.json("GET", "/api/settings"))[1]["version"] == 0


async def test_limits_of_connections_change_for_those_to_come(
    server: ApiServer, client: OrchestrationClient
) -> None:
    await server.session("s1")
    async with server.live() as first:
        await first.receive()
        await client.change_settings({"server": {"websocket_max_connections": 1}})
        with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
            await server.live()
        assert refusal.value.status == 429
        await client.reset_settings()
        async with server.live() as second:
            assert not second.closed


async def test_sessions_are_created_by_the_settings_that_hold(
    client: OrchestrationClient,
) -> None:
    own: JsonObject = {"overlap_ms": 5000}
    with pytest.raises(BadRequest):
        await client.create_session("s1", settings=own)
    await client.change_settings({"sessions": {"chunking": {"chunk_ms": 9000}}})
    assert (await client.create_session("s1", settings=own))["settings"] == own


async def test_a_running_session_gets_other_settings_of_its_own(
    server: ApiServer, client: OrchestrationClient
) -> None:
    await client.create_session("s1", settings={"overlap_ms": 3000})
    shown = await client.configure_session("s1", {"chunk_ms": 6000, "overlap_ms": None})
    assert shown["settings"] == {"chunk_ms": 6000}
    assert (await client.session("s1"))["settings"] == {"chunk_ms": 6000}
    for wrong in ({"chunk_ms": 1000, "overlap_ms": 900}, {"nonsense": 1}, {"chunk_ms": "long"}):
        with pytest.raises(BadRequest):
            await client.configure_session("s1", dict(wrong))
    assert (await client.create_session("s1", settings={"overlap_ms": 3000}))["settings"] == {
        "chunk_ms": 6000
    }
    server.sessions.running["s1"].complete()
    with pytest.raises(SessionEnded):
        await client.configure_session("s1", {"chunk_ms": 7000})


async def test_a_running_session_gets_other_languages_with_its_settings_or_nothing_of_both(
    server: ApiServer, client: OrchestrationClient
) -> None:
    await client.create_session("s1", language="en", target_languages=["pt"])
    shown = await client.configure_session("s1", {"chunk_ms": 6000}, target_languages=["es", "es"])
    assert (shown["language"], shown["target_languages"]) == ("en", ["es"])
    shown = await client.configure_session("s1", language=None)
    assert (shown["language"], shown["target_languages"]) == (None, ["es"])
    assert shown["settings"] == {"chunk_ms": 6000}
    with pytest.raises(BadRequest):
        await client.configure_session("s1", {"chunk_ms": 1}, language="pt")
    for wrong in ("Portuguese", "p"):
        with pytest.raises(BadRequest):
            await client.configure_session("s1", {"chunk_ms": 7000}, language=wrong)
    left = await client.session("s1")
    assert (left["language"], left["settings"]) == (None, {"chunk_ms": 6000})


async def test_of_two_changes_of_a_session_at_once_none_is_lost(
    server: ApiServer, client: OrchestrationClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await client.create_session("s1", language="en")
    read, both_have_read = server.archive.session, asyncio.Barrier(2)

    async def read_by_both(session_id: str) -> SessionRow:
        row = await read(session_id)
        await both_have_read.wait()
        return row

    with monkeypatch.context() as patched:
        patched.setattr(server.archive, "session", read_by_both)
        await asyncio.gather(
            client.configure_session("s1", {"chunk_ms": 6000}),
            client.configure_session("s1", target_languages=["es"]),
        )
    left = await client.session("s1")
    assert (left["settings"], left["target_languages"]) == ({"chunk_ms": 6000}, ["es"])


async def test_what_was_changed_holds_after_a_restart(tmp_path: Path, pool: Pool) -> None:
    for number in range(2):
        folder = tmp_path / str(number)
        folder.mkdir()
        async with (
            api_server(folder, store=PostgresSettings(pool)) as running,
            OrchestrationClient(running.url) as client,
        ):
            if number == 0:
                await client.change_settings(LONGER)
            assert await chunk_ms(client) == 5000
