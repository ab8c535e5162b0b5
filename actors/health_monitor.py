"""Probes database, engines, sessions and coordinator, has restarted what is stuck, and alerts."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any

import ray
import structlog

from actors.names import COORDINATOR, NAMESPACE, ask, dispatcher_name
from actors.reports import Reports
from actors.session_watch import SessionWatch
from actors.settings_follower import SettingsFollower
from actors.work_watch import WorkWatch
from orchestration.config.models import Settings
from orchestration.errors import OrchestrationError
from orchestration.health.alerts import Alert, AlertBook, Figure
from orchestration.health.figures import part_figures, settings_figures
from orchestration.health.integrations import Integration
from orchestration.health.loop_lag import LoopLag
from orchestration.health.part_measures import sample_machine, sample_parts, sample_sessions
from orchestration.health.recovery import RecoveryReport, recovery_counts, recovery_figures
from orchestration.health.report import HealthReport
from orchestration.health.system import MACHINE, system_figures
from orchestration.logs import configure_logs
from orchestration.metrics.meter import Meter
from orchestration.process_clock import monotonic_ms, unix_time_ms
from orchestration.services.alert_desk import AlertDesk
from orchestration.services.health import HealthBook, Probe
from orchestration.services.ports import EngineStatus
from orchestration.storage.pool import Pool, connect_pool, sample_connections
from orchestration.storage.postgres_archive import PostgresArchive

log = structlog.get_logger(__name__)

PROBE_TIMEOUT_S = 5.0
"""A part that has not answered a probe by then has failed it."""

POOL_MAX_CONNECTIONS = 2
"""One for probes, one for alerts and their posts."""

SESSION_INTERVAL_S = 1.0
"""How often session actors are probed: a stuck one holds up its meeting."""


class HealthMonitor:
    """Keeps a report of the service's health, renewed every `health_check_interval_s`."""

    def __init__(self, settings: Settings, dsn: str) -> None:
        configure_logs(settings.log_level)
        self._settings = settings
        self._dsn = dsn
        self._reports = Reports("health_monitor")
        self._reports.sample(self._sample)
        self._follower = SettingsFollower("health-monitor", self._take)
        self._pool: Pool | None = None
        self._archive: PostgresArchive | None = None
        self._book = HealthBook()
        self._alerts = AlertBook()
        self._desk: AlertDesk | None = None
        self._system: tuple[Figure, ...] = ()
        self._loop_lag = LoopLag()
        self._work = WorkWatch(settings)
        self._sessions = SessionWatch(self._work)
        self._refused: Mapping[str, bool] = {}
        self._recovery: RecoveryReport | None = None
        self._engines: tuple[EngineStatus, ...] = ()
        self._integrations: tuple[Integration, ...] = ()
        self._figures: dict[str, int] = {"open_sessions": 0, "warm_actors": 0}
        self._started_unix_ms = unix_time_ms()
        self._watch: asyncio.Task[None] | None = None
        self._session_watch: asyncio.Task[None] | None = None
        self._posting: asyncio.Task[None] | None = None
        self._first_look = asyncio.Event()

    async def watch(self) -> None:
        """Begin to watch; once is enough, more do no harm."""
        if self._watch is None:
            self._reports.start()
            self._follower.start()
            self._watch = asyncio.create_task(self._keep_watch())
            self._session_watch = asyncio.create_task(self._keep_watch_over_sessions())

    async def report(self) -> HealthReport:
        """The latest report; the first call waits for the first look."""
        await self.watch()
        await self._first_look.wait()
        return HealthReport(
            status=self._book.overall,
            services=self._book.services,
            open_sessions=self._figures["open_sessions"],
            warm_actors=self._figures["warm_actors"],
            started_unix_ms=self._started_unix_ms,
            engines=self._engines,
            integrations=self._integrations,
            alerts=self._alerts.active,
            system={figure.name: figure.value for figure in self._system},
            queues=self._work.queues,
            recovery={} if self._recovery is None else recovery_counts(self._recovery),
            alerting=self._desk.figures() if self._desk else {},
        )

    async def _take(self, version: int, settings: Settings) -> None:
        self._settings = settings
        self._work.apply(settings)

    def _sample(self, meter: Meter) -> None:
        sample_sessions(meter, self._sessions.statuses.values(), self._figures["warm_actors"])
        sample_parts(meter, self._book.services, self._alerts.active)
        sample_machine(meter, self._system)
        if self._pool is not None:
            sample_connections(meter, "health_monitor", self._pool)

    async def _keep_watch(self) -> None:
        while True:
            try:
                await asyncio.gather(
                    self._look_at_database(),
                    self._look_at_engines(),
                    self._look_at_coordinator(),
                    self._look_at_work(),
                )
                await self._judge()
            except Exception:
                log.exception("health_check_failed")
            self._first_look.set()
            await self._loop_lag.sleep(self._settings.services.health_check_interval_s)

    async def _keep_watch_over_sessions(self) -> None:
        while True:
            try:
                acts = self._settings.services.auto_recovery
                self._book.record(await self._sessions.look(acts=acts), unix_time_ms())
            except (OrchestrationError, TimeoutError, ValueError) as error:
                log.warning("sessions_not_probed", reason=str(error))
            except Exception:
                log.exception("sessions_not_probed")
            await self._loop_lag.sleep(SESSION_INTERVAL_S)

    async def _judge(self) -> None:
        lag = Figure("loop_lag_ms", MACHINE, self._loop_lag.take_ms())
        self._system = (*system_figures(self._settings.data_dir), lag)
        recovery = recovery_figures(self._recovery) if self._recovery else ()
        parts = part_figures(self._book.services)
        refused = settings_figures(self._refused)
        figures = (*parts, *self._system, *self._work.figures, *recovery, *refused)
        for alert in await self._observed(figures):
            log.warning(
                "alert_raised" if alert.cleared_unix_ms is None else "alert_cleared",
                code=alert.code,
                severity=alert.level,
                subject=alert.subject,
                value=alert.value,
            )

    async def _observed(self, figures: Sequence[Figure]) -> Sequence[Alert]:
        if self._desk is None:
            try:
                await self._connected()
            except OrchestrationError:
                # Without a database alerts are raised all the same; it is asked again.
                return self._alerts.observe(figures, unix_time_ms())
        assert self._desk is not None, "a desk comes with the connection"
        return await self._desk.observe(self._alerts, figures)

    async def _look_at_database(self) -> None:
        started_ms = monotonic_ms()
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                await (await self._connected()).ping()
            self._record("database", started_ms)
        except (OrchestrationError, TimeoutError) as error:
            self._record("database", started_ms, error)

    async def _look_at_engines(self) -> None:
        started_ms = monotonic_ms()
        try:
            name = dispatcher_name(ray.get_runtime_context().get_node_id())
            self._engines = await self._probe(ray.get_actor(name, NAMESPACE).check.remote())
        except (OrchestrationError, TimeoutError, ValueError) as error:
            self._record("engines", started_ms, error)
            return
        self._record("engines", started_ms)
        self._book.record_engines(self._engines, unix_time_ms())

    async def _look_at_coordinator(self) -> None:
        started_ms = monotonic_ms()
        try:
            coordinator = ray.get_actor(COORDINATOR, NAMESPACE)
            self._figures = await self._probe(coordinator.figures.remote())
            self._recovery = await self._probe(coordinator.recovery.remote())
            self._integrations = await self._probe(coordinator.integrations.remote())
            self._refused = await self._probe(coordinator.settings_refused.remote())
        except (OrchestrationError, TimeoutError, ValueError) as error:
            self._record("coordinator", started_ms, error)
        else:
            self._record("coordinator", started_ms)

    async def _look_at_work(self) -> None:
        can_work = self._book.is_well("database")
        try:
            acts = self._settings.services.auto_recovery
            await self._work.look(monotonic_ms(), can_work=can_work, acts=acts)
        except (OrchestrationError, ValueError) as error:
            log.warning("work_not_looked_at", reason=str(error))
        self._book.record(self._work.probe, unix_time_ms())

    async def _probe(self, answer: Awaitable[Any]) -> Any:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            return await ask(answer, "part")

    def _record(self, name: str, started_ms: int, error: Exception | None = None) -> None:
        latency_ms = monotonic_ms() - started_ms
        detail = "" if error is None else str(error) or type(error).__name__
        self._book.record(Probe(name, error is None, latency_ms, detail=detail), unix_time_ms())

    async def _connected(self) -> PostgresArchive:
        if self._archive is None:
            self._pool = await connect_pool(
                self._dsn,
                min_size=1,
                max_size=POOL_MAX_CONNECTIONS,
                connect_timeout_s=PROBE_TIMEOUT_S,
            )
            self._archive = PostgresArchive(self._pool)
            self._desk = AlertDesk(self._pool, self._settings.alerts.webhooks)
            self._posting = asyncio.create_task(self._desk.keep_posting())
        return self._archive
