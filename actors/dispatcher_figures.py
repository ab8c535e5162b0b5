"""What a dispatcher says of its work. Light: who hears it need not import Serve."""

from dataclasses import dataclass

from orchestration.errors import EngineTimeout

TRANSCRIPTION = "Transcription"
TRANSLATION = "Translation"
"""The deployments that a dispatcher passes requests to."""


class NoAnswer(EngineTimeout):
    """A deployment did not even say that its engines are too slow."""


@dataclass(frozen=True, slots=True)
class DispatcherFigures:
    """By deployment: requests under way now, and answered since the start. `lost` went to replicas
    that died, and that Serve started again."""

    under_way: dict[str, int]
    answered: dict[str, int]
    lost: int
