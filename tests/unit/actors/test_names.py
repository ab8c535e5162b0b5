"""How a call to an actor fails."""

import pytest
from ray.exceptions import ActorDiedError, ActorUnavailableError, ActorUnschedulableError, RayError

from actors.names import ActorGone, ask


@pytest.mark.parametrize(
    "error",
    [
        ActorDiedError(),
        ActorUnavailableError("it restarts", None),
        ActorUnschedulableError("its node is dead"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_an_actor_that_is_dead_or_whose_node_is_dead_is_gone(error: RayError) -> None:
    async def call() -> None:
        raise error

    with pytest.raises(ActorGone, match="The dispatcher is not answering"):
        await ask(call(), "dispatcher")
