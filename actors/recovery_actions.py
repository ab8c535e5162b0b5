"""What the coordinator does about what is broken, beside giving sessions other actors."""

import asyncio
import contextlib
from collections.abc import Awaitable
from typing import Any

import ray
import structlog

from actors.names import NAMESPACE, ask, dispatcher_name
from actors.placement import Placement
from actors.session_actors import session_actor
from orchestration.errors import OrchestrationError, UnknownSession
from orchestration.health.recovery import Action, RecoveryBook, RecoveryReport
from orchestration.process_clock import monotonic_ms
from orchestration.session.status import OPEN_STATUSES
from orchestration.storage.archive_ports import Archive

log = structlog.get_logger(__name__)

ACTION_TIMEOUT_S = 10.0
"""An action that is asked of a session's actor has failed by then."""


class RecoveryActions:
    """Each is taken within its policy, logged and counted."""

    def __init__(self, book: RecoveryBook, placement: Placement) -> None:
        self._book = book
        self._placement = placement

    def report(self) -> RecoveryReport:
        """What was done, since the coordinator's start."""
        return self._book.report(monotonic_ms())

    async def session_lost(self, archive: Archive, session_id: str, actor_name: str) -> None:
        """A session's actor says that it has none: if the session is over, so is the actor.

        Raises:
            DatabaseUnavailable: ask again.
        """
        if self._placement.open.get(session_id) != actor_name:
            return
        try:
            row = await archive.session(session_id)
        except UnknownSession:
            self._placement.end_unknown(session_id)
        else:
            if row.status not in OPEN_STATUSES:
                self._placement.session_ended(session_id)

    async def session_expired(self, session_id: str, actor_name: str) -> None:
        """A session waits for its bot for longer than it may, and its actor has not ended it."""
        if self._placement.open.get(session_id) != actor_name:
            return
        if self._begins("end_expired_session", session_id):
            await self._carried_out("end_expired_session", session_actor(actor_name).end.remote())

    def restart_dispatcher(self, node_id: str) -> bool:
        """The dispatcher of a node stopped passing requests on: Ray starts it again, and sessions
        send theirs again. False when it was done too lately to do it again."""
        name = dispatcher_name(node_id)
        if not self._begins("restart_dispatcher", name):
            return False
        with contextlib.suppress(ValueError):
            ray.kill(ray.get_actor(name, NAMESPACE), no_restart=False)
        return True

    def _begins(self, action: Action, subject: str) -> bool:
        """Whether the action may be taken now; it is counted and logged if so."""
        now_ms = monotonic_ms()
        if not self._book.may_act(action, subject, now_ms):
            return False
        state = self._book.act(action, subject, now_ms)
        log.warning("recovery_action", action=action, subject=subject, state=state)
        return True

    async def _carried_out(self, action: Action, work: Awaitable[Any]) -> None:
        try:
            async with asyncio.timeout(ACTION_TIMEOUT_S):
                await ask(work, "session's actor")
        except (OrchestrationError, TimeoutError) as error:
            self._book.failed(action)
            log.warning("recovery_action_failed", action=action, reason=str(error))
