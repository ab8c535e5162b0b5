"""The settings by HTTP: shown without secrets, and tried without effect."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from orchestration.json_types import JsonObject
from tests.doubles.api_server import ApiServer, api_server

WHISPER = {"url": "http://u:hunter2@w:1", "kind": "openai", "api_key": "hunter3"}


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ApiServer]:
    services = {"whisper": [WHISPER], "timeout_s": 20}
    async with api_server(tmp_path, services=services) as running:
        yield running


async def validated(server: ApiServer, settings: Any) -> tuple[int, JsonObject]:
    return await server.json("POST", "/api/settings/validate", json={"settings": settings})


async def test_settings_are_shown_with_what_is_not_the_default(server: ApiServer) -> None:
    status, answer = await server.json("GET", "/api/settings")
    assert status == 200
    assert answer["settings"]["services"]["timeout_s"] == 20  # type: ignore[index,call-overload]
    assert {"setting": "services.timeout_s", "before": 30.0, "after": 20.0} in answer["changed"]  # type: ignore[operator]
    assert "hunter" not in str(answer)


async def test_clients_learn_limits_and_services_but_no_address_behind(server: ApiServer) -> None:
    status, answer = await server.json("GET", "/api/config")
    assert status == 200
    assert answer["services"] == {
        "whisper": {"url": "/api/whisper", "kind": "upstreams", "upstreams": 1},
        "translation": {"url": "/api/translation", "kind": "embedded", "upstreams": 0},
    }
    assert answer["session_settings"]["chunk_ms"] == 4000  # type: ignore[index,call-overload]
    assert "hunter" not in str(answer)
    assert "w:1" not in str(answer)


async def test_what_would_do_is_answered_with_its_changes(server: ApiServer) -> None:
    status, answer = await validated(server, {"sessions": {"chunking": {"chunk_ms": 5000}}})
    assert status == 200
    change = {"setting": "sessions.chunking.chunk_ms", "before": 4000, "after": 5000}
    change |= {"reach": "now", "why": "taken up by what runs"}
    assert answer == {"valid": True, "faults": [], "changes": [change], "refused": []}
    _, after = await server.json("GET", "/api/config")
    assert after["session_settings"]["chunk_ms"] == 4000  # type: ignore[index,call-overload]


async def test_what_waits_for_a_restart_is_told_from_what_holds_at_once(
    server: ApiServer,
) -> None:
    proposed = {
        "server": {"port": 3001, "websocket_max_connections": 7},
        "ingest": {"hello_timeout_s": 3},
        "services": {"whisper": [{"url": "http://w:2", "kind": "openai", "api_key": "hunter4"}]},
    }
    status, answer = await validated(server, proposed)
    assert (status, answer["valid"]) == (200, True)
    told: Any = answer
    reach = {one["setting"]: one["reach"] for one in told["changes"]}
    assert reach == {
        "server.port": "restart",
        "server.websocket_max_connections": "now",
        "ingest.hello_timeout_s": "next",
        "services.whisper": "now",
    }
    reasons = {one["setting"]: one["reason"] for one in told["refused"]}
    assert list(reasons) == ["server.port", "services.whisper"]
    assert "restart" in reasons["server.port"]
    assert "Secrets" in reasons["services.whisper"]
    assert "hunter" not in str(answer)


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({"server": {"port": "x"}, "nonsense": 1}, ["server.port", "nonsense"]),
        ({"sessions": {"chunking": {"overlap_ms": 3900}}}, ["sessions.chunking"]),
        ({"server": {"host": "0.0.0.0"}}, ["server.host"]),
        ({"server": 3}, ["server"]),
    ],
)
async def test_every_fault_is_named(
    server: ApiServer, settings: dict[str, Any], names: list[str]
) -> None:
    status, answer = await validated(server, settings)
    assert (status, answer["valid"], answer["changes"]) == (200, False, [])
    assert [fault["setting"] for fault in answer["faults"]] == names  # type: ignore[index,call-overload,union-attr]


@pytest.mark.parametrize("depth", [100, 400, 5000])
async def test_depth_is_answered_not_crashed_on(server: ApiServer, depth: int) -> None:
    body = '{"settings": ' + '{"a": ' * depth + "1" + "}" * (depth + 1)
    status, _ = await server.json(
        "POST", "/api/settings/validate", data=body, headers={"Content-Type": "application/json"}
    )
    assert status in (200, 400, 422)
