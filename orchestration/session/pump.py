"""The pump of a running session: drain it, store, tell, send, and let time pass."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from orchestration.errors import OrchestrationError, Unavailable
from orchestration.process_clock import monotonic_ms, unix_time_ms
from orchestration.session.engine_calls import EngineCalls
from orchestration.session.incarnation import Incarnation
from orchestration.session.repairing import Repairing
from orchestration.session.session import Session, SessionStep
from orchestration.session.session_meter import SessionMeter
from orchestration.session.status import TERMINAL
from orchestration.session.translation_desk import PAST_AT_ONCE, PastPlace
from orchestration.storage.journal_ports import SessionChanges, SessionJournal

TICK_S = 0.25
"""How often time is let pass."""

RENAMED_AT_ONCE = 500
"""Stored lines that are read back and renamed by one step: a long meeting's would be 50 MB."""

STORE_RETRY_S = (0.1, 0.2, 0.5, 1.0, 2.0)
"""Waits between tries to store while the database is away; the last repeats."""


class Pump:
    """Carries out one step of a session after the other."""

    def __init__(
        self,
        incarnation: Incarnation,
        session: Session,
        journal: SessionJournal,
        calls: EngineCalls,
        repairing: Repairing,
        meter: SessionMeter,
        abandon_if_due: Callable[[], Awaitable[None]],
        finish: Callable[[], Awaitable[None]],
    ) -> None:
        """`finish` is called when the session's end is stored and told."""
        self._incarnation = incarnation
        self._session = session
        self._journal = journal
        self._calls = calls
        self._repairing = repairing
        self._meter = meter
        self._abandon_if_due = abandon_if_due
        self._finish = finish

    async def run(self) -> None:
        """Until the session has ended or the incarnation is over."""
        incarnation = self._incarnation
        next_tick_ms = monotonic_ms()
        try:
            while not incarnation.is_replaced and not incarnation.is_finished:
                await incarnation.woken(TICK_S)
                if monotonic_ms() >= next_tick_ms:
                    next_tick_ms = monotonic_ms() + round(TICK_S * 1000)
                    self._session.tick(monotonic_ms())
                    await self._abandon_if_due()
                await self._rename_stored()
                incarnation.step_begins()
                past = self._session.translations.due_past
                await self._carry_out(self._session.drain(monotonic_ms()))
                if past is not None:
                    await self._translate_past(past)
                incarnation.step_is_done()
        except OrchestrationError as error:
            incarnation.give_up(error)
        except Exception:
            incarnation.log.exception("session_failed")
            incarnation.give_up(Unavailable("The session's actor failed; it restarts."))

    async def _rename_stored(self) -> None:
        """Read back the lines of whoever has another name, and store their next revisions."""
        session = self._session
        renamed = session.renames.begin(monotonic_ms())
        if not renamed:
            return
        left = renamed
        try:
            await self._rename_lines_of(sorted(renamed))
            left = frozenset()
        except Unavailable as error:
            self._incarnation.log.warning("rename_waits", reason=error.message)
        session.renames.end(left, monotonic_ms())

    async def _rename_lines_of(self, participant_ids: Sequence[str]) -> None:
        session, after = self._session, None
        while True:
            lines = await self._journal.segments_of(
                session.session_id, participant_ids, after, RENAMED_AT_ONCE
            )
            session.rename_stored(lines)
            if len(lines) < RENAMED_AT_ONCE:
                return
            after = (lines[-1].start_ns, lines[-1].segment_id)
            await self._carry_out(session.drain(monotonic_ms()))

    async def _translate_past(self, place: PastPlace) -> None:
        """Have some earlier lines in the languages that they are not translated to; all that is
        final is stored by now."""
        session = self._session
        try:
            lines = await self._journal.untranslated(session.session_id, place.after, PAST_AT_ONCE)
        except Unavailable as error:
            self._incarnation.log.warning("translations_wait", reason=error.message)
            return
        session.translations.want_past(place, lines)
        self._incarnation.wake()

    async def _carry_out(self, step: SessionStep) -> None:
        for order in step.transcribe:
            self._incarnation.spawn(self._calls.transcribe(order))
        for request in step.translate:
            self._incarnation.spawn(self._calls.translate(request))
        self._repairing.begin_due()
        if not step.changes.is_empty():
            await self._commit(step.changes)
        self._incarnation.live.tell(tuple(step.changes.events), step.passing)
        if step.changes.status in TERMINAL:
            self._incarnation.log.info("session_completed")
            await self._finish()

    async def _commit(self, changes: SessionChanges) -> None:
        """Store until it is stored: nothing is told that is not durable."""
        tries = 0
        began_s = time.monotonic()
        while True:
            try:
                await self._journal.commit(self._session.session_id, self._session.epoch, changes)
                self._meter.committed(changes, time.monotonic() - began_s, unix_time_ms())
                return
            except Unavailable as error:
                wait_s = STORE_RETRY_S[min(tries, len(STORE_RETRY_S) - 1)]
                if tries == 0:
                    self._incarnation.log.warning("store_waits", reason=error.message)
                tries += 1
                self._meter.commit_repeated()
                await asyncio.sleep(wait_s)
