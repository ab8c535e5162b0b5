"""Prometheus and Alertmanager, for real: on PATH, or as `make system-packages` fetched them."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from tests.service import free_port

ROOT = Path(__file__).parents[1]
MONITORING = ROOT / "configs" / "monitoring"
FETCHED = ROOT / ".venv" / "debian" / "usr" / "bin"
PATIENCE_S = 60


def program(*names: str) -> str:
    """`prometheus`, `promtool`, `alertmanager` or `amtool`, by the first name that is there."""
    for name in names:
        found = shutil.which(name) or shutil.which(name, path=str(FETCHED))
        if found is not None:
            return found
    raise AssertionError(f"there is no {names[0]}: make system-packages")


class Prometheus:
    """A running one."""

    def __init__(self, url: str, client: aiohttp.ClientSession) -> None:
        self._url = url
        self._client = client

    async def ask(self, path: str, **query: str) -> Any:
        """The data of an answer; None while there is none."""
        try:
            async with self._client.get(f"{self._url}/api/v1/{path}", params=query) as response:
                return (await response.json())["data"] if response.status == 200 else None
        except aiohttp.ClientConnectionError:
            return None

    async def value(self, expression: str) -> float:
        """The first value that an expression has, as soon as it has one."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                data = await self.ask("query", query=expression)
                if data is not None and data["result"]:
                    return float(data["result"][0]["value"][1])
                await asyncio.sleep(0.2)


@contextlib.asynccontextmanager
async def prometheus(
    folder: Path, target: str, key: str | None = None, alertmanager: str | None = None
) -> AsyncIterator[Prometheus]:
    """The configuration of the repository, for a service at `target` (host:port), in a hurry: with
    an `alertmanager` (host:port), to which alerts go, no rule waits."""
    config = yaml.safe_load((MONITORING / "prometheus.yml").read_text(encoding="utf-8"))
    config["global"] = {
        "scrape_interval": "1s",
        "scrape_timeout": "1s",
        "evaluation_interval": "1s",
    }
    if alertmanager is None:
        config["rule_files"] = [str(MONITORING / name) for name in config["rule_files"]]
        del config["alerting"]
    else:
        for name in config["rule_files"]:
            (folder / name).write_text(_without_waiting((MONITORING / name).read_text("utf-8")))
        (manager,) = config["alerting"]["alertmanagers"]
        manager["static_configs"] = [{"targets": [alertmanager]}]
    (service,) = (job for job in config["scrape_configs"] if job["job_name"] == "orchestration")
    service["static_configs"] = [{"targets": [target]}]
    config["scrape_configs"] = [service]
    if key is not None:
        (folder / "api_key").write_text(key)
        service["authorization"] = {"credentials_file": str(folder / "api_key")}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    address = f"127.0.0.1:{free_port()}"
    with (folder / "prometheus.log").open("w") as log:
        process = await asyncio.create_subprocess_exec(
            program("prometheus"),
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'series'}",
            f"--web.listen-address={address}",
            stdout=log,
            stderr=log,
        )
    try:
        async with aiohttp.ClientSession() as client:
            yield Prometheus(f"http://{address}", client)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


@contextlib.asynccontextmanager
async def alertmanager(folder: Path, people: str, tickets: str) -> AsyncIterator[str]:
    """The configuration of the repository with somebody to tell, in a hurry; its host:port.

    `people` and `tickets` are webhooks of the receivers of these names.
    """
    config = yaml.safe_load((MONITORING / "alertmanager.yml").read_text(encoding="utf-8"))
    urls = {"people": people, "tickets": tickets}
    for receiver in config["receivers"]:
        receiver["webhook_configs"] = [{"url": urls[receiver["name"]]}]
    config["route"] |= {"group_wait": "100ms", "group_interval": "1s"}
    file = folder / "alertmanager.yml"
    file.write_text(yaml.safe_dump(config))
    address = f"127.0.0.1:{free_port()}"
    with (folder / "alertmanager.log").open("w") as log:
        process = await asyncio.create_subprocess_exec(
            program("alertmanager", "prometheus-alertmanager"),
            f"--config.file={file}",
            f"--storage.path={folder / 'alerts'}",
            f"--web.listen-address={address}",
            "--cluster.listen-address=",
            # The fetched one finds its templates below it.
            cwd=FETCHED.parents[1] if FETCHED.exists() else folder,
            stdout=log,
            stderr=log,
        )
    try:
        yield address
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


def _without_waiting(rules: str) -> str:
    groups = yaml.safe_load(rules)
    for group in groups["groups"]:
        for rule in group["rules"]:
            rule.pop("for", None)
    return yaml.safe_dump(groups)
