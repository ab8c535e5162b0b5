"""Figures on their way from a process to its node's dispatcher, and from there to the ingress."""

import asyncio
import importlib
import pickle
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import ray

from orchestration.errors import Unavailable
from orchestration.metrics import catalogue
from orchestration.metrics.meter import Meter

with warnings.catch_warnings():
    # A dispatcher imports Ray Serve, whose own imports warn.
    warnings.simplefilter("ignore", DeprecationWarning)
    importlib.import_module("ray.serve")
    from actors import dispatcher, node_measures, reports

FRAMES = (catalogue.FRAMES.name, ())
RESTARTS = (catalogue.ACTOR_RESTARTS.name, ("coordinator",))


@dataclass
class Context:
    """What a process knows of itself."""

    worker_id: str = "w1"
    was_current_actor_reconstructed: bool = False

    def get_node_id(self) -> str:
        return "n1"

    def get_worker_id(self) -> str:
        return self.worker_id


@dataclass
class Method:
    """An actor's method, whose arguments and answer are pickled on the way."""

    call: Callable[..., Awaitable[Any]]

    async def remote(self, *arguments: object) -> Any:
        return pickle.loads(pickle.dumps(await self.call(*pickle.loads(pickle.dumps(arguments)))))


@dataclass
class Node:
    """A dispatcher; `lost_answers` reports are taken and not answered, `away` says it is not."""

    actor: dispatcher.Dispatcher = field(default_factory=lambda: dispatcher.Dispatcher("app", 1))
    lost_answers: int = 0
    away: bool = False
    reports: int = 0
    answered: asyncio.Event = field(default_factory=asyncio.Event)

    def find(self, name: str, namespace: str) -> Any:
        if self.away or name != "dispatcher-n1":
            raise ValueError(name)
        return self

    @property
    def report(self) -> Method:
        return Method(self._report)

    @property
    def figures(self) -> Method:
        return Method(self.actor.figures)

    async def _report(self, *arguments: Any) -> None:
        self.reports += 1
        await self.actor.report(*arguments)
        if self.lost_answers:
            self.lost_answers -= 1
            raise Unavailable("The dispatcher is not answering; ask again.")
        self.answered.set()


@pytest.fixture
async def node(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Node]:
    node = Node()
    monkeypatch.setattr(ray, "get_actor", node.find)
    monkeypatch.setattr(ray, "get_runtime_context", Context)
    monkeypatch.setattr(ray.util, "get_node_ip_address", lambda: "10.0.0.1")
    monkeypatch.setattr(
        "actors.names.list_named_actors", lambda: ["coordinator", "dispatcher-n1", "dispatcher-x"]
    )
    monkeypatch.setattr(reports, "REPORT_INTERVAL_S", 0.01)
    yield node
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        if "keep_reporting" in repr(task):
            task.cancel()


async def test_a_report_whose_answer_is_lost_is_sent_again_and_counted_once(node: Node) -> None:
    node.lost_answers = 2
    measures = node_measures.NodeMeasures()
    measures.meter.count(catalogue.FRAMES, 7)
    measures.start()
    async with asyncio.timeout(60):
        await node.answered.wait()

    assert node.reports >= 3
    figures = await measures.figures()
    assert list(figures) == ["10.0.0.1"]
    assert figures["10.0.0.1"].counters == {FRAMES: 7}


async def test_what_is_counted_while_the_dispatcher_is_away_is_not_lost(node: Node) -> None:
    node.away = True
    sent = reports.Reports()
    sent.meter.count(catalogue.FRAMES, 1)
    sampled = asyncio.Event()

    def fill(meter: Meter) -> None:
        sampled.set()

    sent.sample(fill)
    sent.start()
    async with asyncio.timeout(60):
        await sampled.wait()
        sent.meter.count(catalogue.FRAMES, 2)
        node.away = False
        while node.reports < 2:  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.01)

    _, figures = await node.actor.figures()
    assert figures.counters == {FRAMES: 3}


async def test_reports_go_on_after_an_error_that_nobody_foresaw(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = asyncio.Event()

    def fail(name: str, namespace: str) -> Any:
        failed.set()
        monkeypatch.setattr(ray, "get_actor", node.find)
        raise RuntimeError("the control store is away")

    monkeypatch.setattr(ray, "get_actor", fail)
    sent = reports.Reports()
    sent.meter.count(catalogue.FRAMES, 3)
    sent.start()
    async with asyncio.timeout(60):
        await failed.wait()
        await node.answered.wait()

    _, figures = await node.actor.figures()
    assert figures.counters == {FRAMES: 3}


@pytest.mark.parametrize(("is_next_life", "counted"), [(False, {}), (True, {RESTARTS: 1})])
async def test_an_actor_s_next_life_is_counted_and_its_first_is_not(
    node: Node,
    monkeypatch: pytest.MonkeyPatch,
    is_next_life: bool,
    counted: dict[Any, float],
) -> None:
    monkeypatch.setattr(ray, "get_runtime_context", lambda: Context("w1", is_next_life))
    reports.Reports("coordinator").start()
    async with asyncio.timeout(60):
        await node.answered.wait()
    assert (await node.actor.figures())[1].counters == counted


async def test_figures_that_cannot_be_sampled_keep_no_others_back(node: Node) -> None:
    def fail(meter: Meter) -> None:
        raise RuntimeError("no figures")

    sent = reports.Reports()
    sent.meter.count(catalogue.FRAMES, 1)
    sent.sample(fail)
    sent.start()
    async with asyncio.timeout(60):
        await node.answered.wait()
    assert (await node.actor.figures())[1].counters == {FRAMES: 1}
