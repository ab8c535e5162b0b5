"""The engines as a process sees them: the dispatcher of its own node."""

from typing import Any

import ray

from actors.names import NAMESPACE, ask, dispatcher_name
from orchestration.errors import Unavailable
from orchestration.services.ports import (
    EngineDescription,
    Hypothesis,
    TranscriptionRequest,
    TranslationRequest,
)


class DispatcherEngines:
    """Transcription and translation by way of the node's dispatcher.

    All raise Unavailable while the dispatcher is not there.
    """

    def __init__(self) -> None:
        self._name = dispatcher_name(ray.get_runtime_context().get_node_id())
        self._handle: Any = None

    async def transcribe(self, request: TranscriptionRequest) -> Hypothesis:
        hypothesis: Hypothesis = await self._ask("transcribe", request)
        return hypothesis

    async def translate(self, request: TranslationRequest) -> str:
        text: str = await self._ask("translate", request)
        return text

    async def describe(
        self,
    ) -> tuple[tuple[EngineDescription, ...], tuple[EngineDescription, ...]]:
        """The whisper and the translation services, as they describe themselves."""
        found: tuple[tuple[EngineDescription, ...], tuple[EngineDescription, ...]]
        found = await self._ask("describe")
        return found

    async def _ask(self, method: str, *arguments: object) -> Any:
        try:
            if self._handle is None:
                self._handle = ray.get_actor(self._name, NAMESPACE)
            return await ask(getattr(self._handle, method).remote(*arguments), "dispatcher")
        except ValueError as error:
            raise Unavailable("The dispatcher of this node is not there yet.") from error
        except Unavailable:
            self._handle = None
            raise
