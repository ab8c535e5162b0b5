"""One light actor per node that holds the Serve handles, so that session actors need not.

`ray.serve` costs a process 30 MB; a node has one dispatcher and many session actors. It also adds
up what the processes of its node count and measure, and is where its ingress replicas are asked.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from actors.dispatcher_figures import TRANSCRIPTION, TRANSLATION, DispatcherFigures, NoAnswer
from actors.settings_follower import SettingsFollower
from orchestration.api.roll_call import RollCall
from orchestration.config.models import Settings
from orchestration.errors import EngineError, OrchestrationError
from orchestration.metrics.meter import Report
from orchestration.metrics.node_figures import Figures, NodeFigures
from orchestration.process_clock import monotonic_ms
from orchestration.services.ports import (
    EngineDescription,
    EngineStatus,
    Hypothesis,
    TranscriptionRequest,
    TranslationRequest,
)


class Dispatcher:
    """Passes requests to the Serve deployments; their errors come back as themselves."""

    def __init__(self, application: str, timeout_s: float) -> None:
        """The Serve application with the deployments; `timeout_s` bounds a request in all, the
        wait for a free engine included, until the settings say otherwise."""
        # Here, as the coordinator imports this file too, and starts sooner without.
        from ray import serve

        self._serve: Any = serve
        self._application = application
        self._timeout_s = timeout_s
        self._handles: dict[str, Any] = {}
        self._figures = NodeFigures()
        self._under_way = dict.fromkeys((TRANSCRIPTION, TRANSLATION), 0)
        self._answered = dict.fromkeys((TRANSCRIPTION, TRANSLATION), 0)
        self._lost = 0
        self._roll_call = RollCall()
        self._follower = SettingsFollower("dispatcher", self.take)

    async def take(self, version: int, settings: Settings) -> None:
        """Wait for answers as long as these settings say; requests under way wait as they began."""
        self._timeout_s = settings.services.dispatch_timeout_s

    async def transcribe(self, request: TranscriptionRequest) -> Hypothesis:
        hypothesis: Hypothesis = await self._work(TRANSCRIPTION, "transcribe", request)
        return hypothesis

    async def translate(self, request: TranslationRequest) -> str:
        text: str = await self._work(TRANSLATION, "translate", request)
        return text

    async def check(self) -> tuple[EngineStatus, ...]:
        """The engines behind both deployments; one that cannot be asked is unhealthy."""
        probes = await asyncio.gather(
            *(self._check(deployment) for deployment in (TRANSCRIPTION, TRANSLATION))
        )
        return tuple(status for statuses in probes for status in statuses)

    async def report(self, source: str, number: int, report: Report) -> None:
        """What a process of this node has to report; see `NodeFigures.take`."""
        self._figures.take(source, number, report, monotonic_ms())

    async def figures(self) -> tuple[str, Figures]:
        """The node's address and its figures."""
        address: str = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
        return address, self._figures.figures(monotonic_ms())

    async def consumption(self) -> DispatcherFigures:
        """What is under way and what was answered, usefully or not, by deployment."""
        return DispatcherFigures(dict(self._under_way), dict(self._answered), self._lost)

    async def roll_call_wait(self, member: str, seen: int) -> Sequence[tuple[int, Any]]:
        """For a replica of this node; see `RollCallPlace`."""
        return await self._roll_call.wait(member, seen)

    async def roll_call_answer(self, member: str, number: int, answer: Any) -> None:
        await self._roll_call.answer(member, number, answer)

    async def roll_call_ask(self, question: Any) -> Mapping[str, Any]:
        """The answers of this node's replicas."""
        return await self._roll_call.ask(question)

    async def describe(
        self,
    ) -> tuple[tuple[EngineDescription, ...], tuple[EngineDescription, ...]]:
        """What the engines behind both deployments say of themselves."""
        whisper, translation = await asyncio.gather(
            self._describe(TRANSCRIPTION), self._describe(TRANSLATION)
        )
        return whisper, translation

    async def _describe(self, deployment: str) -> tuple[EngineDescription, ...]:
        try:
            found: tuple[EngineDescription, ...] = await self._call(deployment, "describe")
            return found
        except OrchestrationError as error:
            return (EngineDescription(deployment.lower(), "deployment", error=error.message),)

    async def _check(self, deployment: str) -> tuple[EngineStatus, ...]:
        try:
            statuses: tuple[EngineStatus, ...] = await self._call(deployment, "check")
        except OrchestrationError as error:
            failed = EngineStatus(deployment.lower(), "deployment", False, 0, error.message)
            statuses = (failed,)
        return tuple(
            status if status.pool else replace(status, pool=deployment.lower())
            for status in statuses
        )

    async def _work(self, deployment: str, method: str, request: object) -> Any:
        """A call that counts; probes do not: they are answered by who stopped working, too."""
        self._follower.start()
        self._under_way[deployment] += 1
        try:
            answer = await self._call(deployment, method, request)
        except NoAnswer:
            raise
        except OrchestrationError:
            self._answered[deployment] += 1
            raise
        finally:
            self._under_way[deployment] -= 1
        self._answered[deployment] += 1
        return answer

    async def _call(self, deployment: str, method: str, *arguments: object) -> Any:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await getattr(self._handle(deployment), method).remote(*arguments)
        except TimeoutError as error:
            raise NoAnswer(
                f"{deployment} did not answer within {self._timeout_s:g} s.",
                {"timeout_s": self._timeout_s},
            ) from error
        except RayTaskError as error:
            cause = error.cause
            if isinstance(cause, OrchestrationError):
                raise cause from None
            raise EngineError(f"{deployment} failed: {type(cause).__name__}.") from error
        except (RayError, self._serve.exceptions.RayServeException) as error:
            self._handles.pop(deployment, None)
            self._lost += 1
            raise EngineError(f"{deployment} is not answering.") from error

    def _handle(self, deployment: str) -> Any:
        handle = self._handles.get(deployment)
        if handle is None:
            handle = self._serve.get_deployment_handle(deployment, app_name=self._application)
            self._handles[deployment] = handle
        return handle
