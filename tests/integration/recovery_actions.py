"""The service with things broken in it: what recovers, and how it is counted.

    python -m tests.integration.recovery_actions DATA_DIR

Prints one JSON object with what each scenario saw, and the dashboard afterwards.
"""

import asyncio
import json
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from actors.names import NAMESPACE, ask
from orchestration.client.api import OrchestrationClient
from orchestration.config.models import Settings
from orchestration.config.session_values import session_values
from tests.doubles.whisper_server import WhisperDouble
from tests.integration.guarded_service import (
    alerts,
    applied,
    dashboard,
    located,
    metric,
    processes,
    running,
    served,
    signal_all,
    until,
)
from tests.integration.live_diarizer import MeetingWhisper, a_meeting_with_voices
from tests.integration.live_pools import pool_changes, user_config_changes

LEAKED = "session-leaked"
LOOKS = 3
"""So many more looks of the monitor, a second each, must leave alone what is only to be told of."""


async def an_actor_that_never_gives_up(client: OrchestrationClient, settings: Settings) -> None:
    """A session without a bot, whose actor waits for it for years: it works by other settings."""
    import ray

    await client.create_session("expired")
    actor: Any = ray.get_actor(await located("expired"), NAMESPACE)
    values = replace(session_values(settings), abandoned_after_ms=10**12)
    await ask(actor.apply.remote(10**9, values, "INFO"), "session's actor")


async def a_stuck_actor(client: OrchestrationClient, data_dir: Path) -> Any:
    """Stuck while `auto_recovery` is off, then while it is on again."""
    stuck = ("part_unhealthy", "sessions")
    off = await applied(client, {"services": {"auto_recovery": False}})
    before = processes(data_dir, "ray::SessionActor")
    await client.create_session("stuck")
    pids = processes(data_dir, "ray::SessionActor") - before
    actor = await located("stuck")
    signal_all(pids, signal.SIGSTOP)

    async def is_told() -> bool:
        return stuck in await alerts(client)

    told = await until(is_told)
    await asyncio.sleep(LOOKS)
    board = await dashboard(client)
    left_alone = await located("stuck") == actor and pids <= processes(data_dir, "ray::")
    on = await applied(client, {"services": {"auto_recovery": True}})

    async def has_another() -> bool:
        return await located("stuck") != actor

    replaced = await until(has_another)

    async def is_cleared() -> bool:
        return stuck not in await alerts(client)

    return {
        "off_and_on": [off, on],
        "processes": len(pids),
        "told": told,
        "left_alone": left_alone,
        "replaced_until_then": board["recovery"]["replace_session_done"],
        "detail": board["services"]["sessions"]["detail"],
        "replaced": replaced,
        "cleared": await until(is_cleared),
    }


def leak_an_actor() -> None:
    """Start a session's actor behind the coordinator's back."""
    import ray

    class Leaked:
        """Holds nothing; its name is what matters."""

    leaked: Any = ray.remote(Leaked).options(
        name=LEAKED, namespace=NAMESPACE, lifetime="detached", num_cpus=0
    )
    leaked.remote()


async def leaked_is_ended() -> bool:
    from ray.util import list_named_actors

    return LEAKED not in list_named_actors()


async def a_hung_dispatcher(client: OrchestrationClient, data_dir: Path) -> dict[str, bool]:
    """Whether it is ended, and whether all work again then."""
    hung = processes(data_dir, "ray::Dispatcher")
    signal_all(hung, signal.SIGSTOP)

    async def is_ended() -> bool:
        return not hung & processes(data_dir, "ray::")

    async def all_work() -> bool:
        board = await dashboard(client)
        return bool(board["services"]["consumers"]["status"] == "healthy")

    return {"hung": await until(is_ended), "recovered": await until(all_work)}


async def its_session_ended(client: OrchestrationClient) -> Any:
    """How the session ended that its actor would have kept."""

    async def is_over() -> bool:
        return (await client.session("expired"))["status"] not in ("created", "active")

    return {"over": await until(is_over), "status": (await client.session("expired"))["status"]}


async def scenarios(
    url: str, settings: Settings, first: MeetingWhisper, second: WhisperDouble
) -> None:
    said: dict[str, Any] = {}
    try:
        await _play(url, settings, first, second, said)
    finally:
        print(json.dumps(said), flush=True)


async def _play(
    url: str,
    settings: Settings,
    first: MeetingWhisper,
    second: WhisperDouble,
    said: dict[str, Any],
) -> None:
    async with OrchestrationClient(url) as client:
        await an_actor_that_never_gives_up(client, settings)
        said["stuck"] = await a_stuck_actor(client, settings.data_dir)
        leak_an_actor()
        said["ended"] = await a_hung_dispatcher(client, settings.data_dir)
        said["voices"] = await a_meeting_with_voices(client, settings.data_dir, first)
        said["pools"] = await pool_changes(client, first, second)
        said["user_config"] = await user_config_changes(client, settings, first, second)
        said["expired"] = await its_session_ended(client)
        said["ended"]["leaked"] = await until(leaked_is_ended)
        said["board"] = await dashboard(client)
        said["diarizations"] = await metric(client, "orchestration_diarizations_total")
        said["healthy"] = await metric(client, "orchestration_part_healthy")


def main() -> None:
    first, second = MeetingWhisper(), WhisperDouble()
    with served(first, second), running(Path(sys.argv[1]), first) as (settings, url):
        asyncio.run(scenarios(url, settings, first, second))


if __name__ == "__main__":
    main()
