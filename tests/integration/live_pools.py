"""Pools of a live Serve that change under load, by the settings and by Serve's `user_config`."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from actors.dispatcher_engines import DispatcherEngines
from actors.names import ask
from orchestration.client.api import OrchestrationClient
from orchestration.config.models import Settings
from orchestration.errors import JsonValue
from orchestration.services.ports import Hypothesis, TranscriptionRequest
from tests.doubles.whisper_server import WhisperDouble
from tests.integration.guarded_service import answered, applied, openai, until

ROOT = Path(__file__).parents[2]
ALONE = "pool-alone"
"""A Serve application of the test's, with one pool and nothing else."""
CALLERS = 8
SILENCE = bytes(3200)
SETTLED = 100
"""Calls in which shares are counted, once the pool has changed."""

Transcribe = Callable[[TranscriptionRequest], Awaitable[Hypothesis]]


class Load:
    """Callers that ask again as soon as they have an answer, each for a session of its own."""

    def __init__(self, transcribe: Transcribe) -> None:
        self._transcribe = transcribe
        self._is_over = asyncio.Event()
        self._callers = [asyncio.create_task(self._ask(f"s{one}")) for one in range(CALLERS)]
        self.calls = 0
        self.lost = 0

    async def _ask(self, session: str) -> None:
        while not self._is_over.is_set():
            request = TranscriptionRequest(session, 0, self.calls, SILENCE, "en", "")
            self.calls += 1
            if not await answered(self._transcribe(request)):
                self.lost += 1
                await asyncio.sleep(0.1)

    async def more(self, calls: int) -> None:
        """Wait for so many more calls."""
        wanted = self.calls + calls

        async def there() -> bool:
            return self.calls >= wanted

        await until(there)

    async def end(self) -> None:
        """Let each have its last answer."""
        self._is_over.set()
        await asyncio.gather(*self._callers)


class Shares:
    """How many calls each of two services got, step by step."""

    def __init__(self, load: Load, *services: WhisperDouble) -> None:
        self._load = load
        self._services = services
        self.seen: dict[str, list[int]] = {}

    async def count(self, step: str) -> None:
        """Of the next calls, once those that were under way are answered."""
        await self._load.more(2 * CALLERS)
        before = [len(one.requests) for one in self._services]
        await self._load.more(SETTLED)
        after = [len(one.requests) for one in self._services]
        self.seen[step] = [now - then for now, then in zip(after, before, strict=True)]


async def pool_changes(
    client: OrchestrationClient, first: WhisperDouble, second: WhisperDouble
) -> Any:
    """A service is added, re-weighted, drained and removed by the settings, under load."""
    load = Load(DispatcherEngines().transcribe)
    shares = Shares(load, first, second)
    asked = len(first.requests) + len(second.requests)
    steps: dict[str, list[JsonValue]] = {
        "alone": [openai(first)],
        "added": [openai(first), openai(second)],
        "re-weighted": [openai(first, 3), openai(second)],
        "drained": [openai(first, 0), openai(second)],
        "removed": [openai(second)],
        "back": [openai(first), openai(second)],
    }
    reached = []
    for step, whisper in steps.items():
        reached.append(await applied(client, {"services": {"whisper": list(whisper)}}))
        await shares.count(step)
    await load.end()
    return {
        "reached": all(reached),
        "calls": load.calls,
        "lost": load.lost,
        "asked": len(first.requests) + len(second.requests) - asked,
        "shares": shares.seen,
    }


def pool_alone(arguments: Mapping[str, Any]) -> Any:
    """The pool's deployment without the rest, for Serve's config files."""
    from ray import serve

    import serve_app

    settings = Settings.model_validate(arguments["settings"])
    made: Any = serve.deployment(name="PoolAlone", ray_actor_options={"num_cpus": 0})
    return made(serve_app.Transcription).bind(settings, None)


async def user_config_changes(
    client: OrchestrationClient, settings: Settings, first: WhisperDouble, second: WhisperDouble
) -> Any:
    """The same deployment in an application of its own, from a config that changes."""
    from ray import serve

    # What was changed of the settings is later than the config that a replica starts with.
    await client.reset_settings(["services.whisper"])

    await _deployed(settings, openai(first))
    handle: Any = serve.get_deployment_handle("PoolAlone", app_name=ALONE)
    replicas = await asyncio.to_thread(_replicas)

    async def transcribe(request: TranscriptionRequest) -> Hypothesis:
        answer: Hypothesis = await ask(handle.transcribe.remote(request), "pool")
        return answer

    load = Load(transcribe)
    shares = Shares(load, first, second)
    asked = len(first.requests) + len(second.requests)
    await shares.count("alone")
    await _deployed(settings, openai(first, 0), openai(second))
    await shares.count("drained")
    await _deployed(settings, {"url": "ftp://nowhere", "kind": "openai"})
    await shares.count("refused")
    await load.end()
    same = replicas == await asyncio.to_thread(_replicas)
    await asyncio.to_thread(serve.delete, ALONE)
    return {
        "replicas": len(replicas),
        "same_replica": same,
        "calls": load.calls,
        "lost": load.lost,
        "asked": len(first.requests) + len(second.requests) - asked,
        "shares": shares.seen,
    }


async def _deployed(settings: Settings, *whisper: object) -> None:
    """What `serve deploy` does with a config file whose `user_config` has these services."""
    from ray.serve.context import _get_global_client
    from ray.serve.schema import ServeDeploySchema

    application = {
        "name": ALONE,
        "route_prefix": None,
        "import_path": f"{__name__}:{pool_alone.__name__}",
        "runtime_env": {"env_vars": {"PYTHONPATH": str(ROOT)}},
        "args": {"settings": settings.model_dump(mode="json")},
        "deployments": [{"name": "PoolAlone", "user_config": {"upstreams": list(whisper)}}],
    }
    config = ServeDeploySchema.model_validate({"applications": [application]})
    client: Any = _get_global_client()
    await asyncio.to_thread(client.deploy_apps, config, _blocking=True)


def _replicas() -> list[str]:
    from ray.util import list_named_actors

    actors: Any = list_named_actors(all_namespaces=True)
    return sorted(one["name"] for one in actors if "PoolAlone" in one["name"])
