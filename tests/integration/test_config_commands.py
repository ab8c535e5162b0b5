"""`orchestration config set` and its kin, as a person uses them against a running service."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest
import yaml
from click.testing import CliRunner, Result

from orchestration.cli import main
from orchestration.storage.migrations import migrate
from orchestration.storage.pool import connect_pool
from orchestration.storage.postgres_settings import PostgresSettings
from tests.database import execute, temporary_server
from tests.doubles.api_server import ApiServer, api_server

Command: TypeAlias = Callable[..., Awaitable[Result]]
CHUNK_MS = "sessions.chunking.chunk_ms"


@pytest.fixture(scope="module")
def dsn() -> Iterator[str]:
    with temporary_server() as started:
        yield started


@pytest.fixture
async def server(tmp_path: Path, dsn: str) -> AsyncIterator[ApiServer]:
    await migrate(dsn, connect_timeout_s=10)
    await execute(dsn, "TRUNCATE bot_sessions.settings_versions")
    pool = await connect_pool(dsn, min_size=1, max_size=2, connect_timeout_s=10)
    async with api_server(tmp_path, store=PostgresSettings(pool)) as running:
        yield running
    await pool.close()


@pytest.fixture
def config(server: ApiServer) -> Command:
    async def run(*arguments: str) -> Result:
        command = ("config", *arguments, "--url", server.url)
        return await asyncio.to_thread(CliRunner().invoke, main, command)

    return run


async def held(server: ApiServer) -> int:
    _, answer = await server.json("GET", "/api/config")
    return int(answer["session_settings"]["chunk_ms"])  # type: ignore[index,call-overload,arg-type]


async def test_settings_are_set_together_and_told_with_what_they_were(
    server: ApiServer, config: Command
) -> None:
    done = await config("set", f"{CHUNK_MS}=5000", "log_level=DEBUG", "--comment", "fewer requests")
    assert done.exit_code == 0, done.output
    head, *changes = done.output.splitlines()
    assert head.startswith("version 1, ")
    assert head.endswith(": fewer requests")
    assert sorted(changes) == ['  log_level: "INFO" → "DEBUG"', f"  {CHUNK_MS}: 4000 → 5000"]
    assert await held(server) == 5000


@pytest.mark.parametrize(
    ("assignments", "reason"),
    [
        ((f"{CHUNK_MS}=1", "log_level=DEBUG"), CHUNK_MS),
        (("server.port=3001",), "restart"),
        (("nonsense=1",), "nonsense"),
        ((CHUNK_MS,), "SETTING=VALUE"),
        ((f"{CHUNK_MS}=[", "log_level=DEBUG"), "cannot be read"),
        (("sessions=1", f"{CHUNK_MS}=5000"), "a value and as a section"),
    ],
)
async def test_what_would_not_do_is_one_sentence_and_changes_nothing(
    server: ApiServer, config: Command, assignments: tuple[str, ...], reason: str
) -> None:
    refused = await config("set", *assignments)
    assert refused.exit_code == 1
    assert reason in refused.output
    assert "Traceback" not in refused.output
    assert (await config("history")).output == ""
    assert await held(server) == 4000


async def test_values_are_yaml_and_null_goes_back_to_what_the_file_says(
    server: ApiServer, config: Command
) -> None:
    await config("set", f"{CHUNK_MS}=5000", "sessions.loopback_names=[Ana, Ben]")
    done = await config("set", f"{CHUNK_MS}=null")
    assert f"  {CHUNK_MS}: 5000 → 4000" in done.output
    stored = yaml.safe_load((await config("export")).output)
    assert stored == {"sessions": {"loopback_names": ["Ana", "Ben"]}}


async def test_history_is_newest_first_and_a_version_can_be_had_again(
    server: ApiServer, config: Command
) -> None:
    for value in (5000, 6000):
        await config("set", f"{CHUNK_MS}={value}")
    done = await config("rollback", "1")
    assert done.output.splitlines()[1:] == [f"  {CHUNK_MS}: 6000 → 5000"]
    assert await held(server) == 5000
    heads = [line for line in (await config("history")).output.splitlines() if line[0] != " "]
    assert [head.split(",")[0] for head in heads] == ["version 3", "version 2", "version 1"]
    assert (await config("rollback", "0")).exit_code == 0
    assert await held(server) == 4000
    unknown = await config("rollback", "77")
    assert (unknown.exit_code, "77" in unknown.output) == (1, True)
    assert (await config("rollback", "-1")).exit_code == 2


async def test_some_settings_or_all_are_reset(server: ApiServer, config: Command) -> None:
    await config("set", f"{CHUNK_MS}=5000", "log_level=DEBUG")
    done = await config("reset", "log_level")
    assert done.output.splitlines()[1:] == ['  log_level: "DEBUG" → "INFO"']
    nothing = await config("reset", "log_level")
    assert nothing.exit_code == 1
    assert "log_level" in nothing.output
    assert await held(server) == 5000
    await config("reset")
    assert await held(server) == 4000


async def test_what_was_exported_is_imported_again(
    server: ApiServer, config: Command, tmp_path: Path
) -> None:
    await config("set", f"{CHUNK_MS}=5000")
    exported = tmp_path / "settings.yaml"
    exported.write_text((await config("export")).output, "utf-8")
    await config("set", f"{CHUNK_MS}=6000", "log_level=DEBUG")
    done = await config("import", str(exported))
    assert done.exit_code == 0, done.output
    assert sorted(done.output.splitlines()[1:]) == [
        '  log_level: "DEBUG" → "INFO"',
        f"  {CHUNK_MS}: 6000 → 5000",
    ]
    whole = yaml.safe_load((await config("export", "--all")).output)
    assert whole["sessions"]["chunking"]["chunk_ms"] == 5000
    exported.write_text("- a list", "utf-8")
    assert (await config("import", str(exported))).exit_code == 1
    assert (await config("import", str(tmp_path / "nowhere.yaml"))).exit_code == 2
    assert await held(server) == 5000


async def test_a_comment_cannot_move_the_terminals_cursor(config: Command) -> None:
    await config("set", f"{CHUNK_MS}=5000", "--comment", "\x1b[2J gone")
    history = (await config("history")).output
    assert "gone" in history
    assert "\x1b" not in history
