"""Watching alerts: each as it is raised and cleared, whatever happens to the connection."""

import asyncio
import json
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal, cast, get_args

from orchestration.client.api import OrchestrationClient
from orchestration.client.backoff import Backoff
from orchestration.client.server_sent_events import EventParser
from orchestration.errors import LimitReached, ServiceUnreachable, Unavailable
from orchestration.json_types import JsonObject

UNREACHABLE_TRIES = 3
"""Attempts before the first stream; once there was one, tries go on for ever."""

Kind = Literal["raised", "cleared"]
"""Events of other kinds are of later versions, and are left out."""


@dataclass(frozen=True, slots=True)
class AlertNews:
    """An alert that was raised or cleared; `number` resumes behind it."""

    number: int
    kind: Kind
    alert: JsonObject


async def watch_alerts(
    client: OrchestrationClient,
    after: int | None = None,
    *,
    uniform: Callable[[], float] = random.random,
) -> AsyncGenerator[AlertNews, None]:
    """Alerts as they are raised and cleared, each once and in order; it does not end by itself.

    Args:
        client: whose service is watched.
        after: the number of the last that was seen; 0 begins with the oldest that is kept, and
            None with what comes from now on.
        uniform: numbers in [0, 1) for the waits between tries.

    Raises:
        ServiceUnreachable: nothing answers.
        NotAuthenticated: the key is not the service's.
    """
    backoff, failures, reached = Backoff(uniform), 0, False
    while True:
        parser = EventParser()
        try:
            async with aclosing(client.alert_events(after, parser=parser)) as events:
                async for event in events:
                    backoff.reset()
                    if event.name in get_args(Kind):
                        kind = cast(Kind, event.name)
                        yield AlertNews(int(event.last_id), kind, json.loads(event.data))
        except (ServiceUnreachable, Unavailable, LimitReached):
            failures += 1
            if not reached and not parser.last_id and failures >= UNREACHABLE_TRIES:
                raise
        # A stream says first where it begins, so that what comes while there is none is not missed.
        if parser.last_id:
            reached, after = True, int(parser.last_id)
        await asyncio.sleep(backoff.wait_ns() / 1e9)
