"""Where actors are found, and how a call to one fails. Light: every actor imports it."""

from collections.abc import Awaitable
from typing import Any, TypeVar, cast

from ray.exceptions import (
    ActorDiedError,
    ActorUnavailableError,
    ActorUnschedulableError,
    GetTimeoutError,
    RayActorError,
    RayTaskError,
)
from ray.util import list_named_actors

from orchestration.errors import OrchestrationError, Unavailable

NAMESPACE = "orchestration"
COORDINATOR = "coordinator"
HEALTH_MONITOR = "health-monitor"
SESSION_PREFIX = "session-"
DISPATCHER_PREFIX = "dispatcher-"
APPLICATION = "orchestration"

_GONE = (RayActorError, ActorDiedError, ActorUnavailableError, ActorUnschedulableError)

Answer = TypeVar("Answer")


class ActorGone(Unavailable):
    """The actor that was asked is dead, restarting, or out of reach; not one that it asked."""


def dispatcher_name(node_id: str) -> str:
    """The dispatcher of a node."""
    return f"{DISPATCHER_PREFIX}{node_id}"


def named_actors(prefix: str = "") -> list[str]:
    """The actors of the service whose names begin so."""
    return [name for name in map(str, list_named_actors()) if name.startswith(prefix)]


async def ask(answer: Awaitable[Answer], whom: str) -> Answer:
    """Await an actor's answer; what went wrong there is raised here as the same error.

    Raises:
        ActorGone: the actor is dead, restarting, or out of reach.
    """
    try:
        return await answer
    except RayTaskError as error:
        cause = cast(Any, error).cause
        if isinstance(cause, ActorGone):
            raise Unavailable(cause.message) from None
        if isinstance(cause, OrchestrationError):
            raise cause from None
        raise Unavailable(f"The {whom} failed: {type(cause).__name__}.") from error
    # A dispatcher belongs to its node: with that dead, it cannot be scheduled again.
    except (*_GONE, GetTimeoutError) as error:
        raise ActorGone(f"The {whom} is not answering; ask again.") from error
