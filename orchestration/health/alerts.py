"""What an operator must know, raised and cleared by figures: rules are data."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

Level: TypeAlias = Literal["warning", "critical"]

UNMEASURED_MS = 60_000
"""An alert whose figure was not told for this long is cleared: what it was about is gone."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value of one subject: the machine, or a part of the service."""

    name: str
    subject: str
    value: int


@dataclass(frozen=True, slots=True)
class AlertRule:
    """Raised once `figure` was `raise_at` or more for `for_ms`; cleared below `clear_below`.

    The distance between the two is the hysteresis: a figure that trembles at one of them does not
    make the alert tremble.
    """

    code: str
    level: Level
    figure: str
    raise_at: int
    clear_below: int
    for_ms: int
    message: str


RULES = (
    AlertRule("part_degraded", "warning", "failed_probes", 1, 1, 10_000, "{subject} fails probes."),
    AlertRule("part_unhealthy", "critical", "unhealthy", 1, 1, 0, "{subject} is unhealthy."),
    AlertRule(
        "part_slow", "warning", "latency_ms", 1000, 500, 30_000, "{subject} takes {value} ms."
    ),
    AlertRule("memory_high", "warning", "memory_percent", 85, 80, 30_000, "Memory: {value} %."),
    AlertRule("memory_full", "critical", "memory_percent", 95, 90, 10_000, "Memory: {value} %."),
    AlertRule("cpu_high", "warning", "cpu_percent", 90, 75, 300_000, "CPU: {value} %."),
    AlertRule("disk_high", "warning", "disk_percent", 85, 83, 0, "Disk of the data: {value} %."),
    AlertRule("disk_full", "critical", "disk_percent", 95, 93, 0, "Disk of the data: {value} %."),
    AlertRule(
        "stopped_consuming", "critical", "stopped_consuming", 1, 1, 0, "{subject} stopped working."
    ),
    AlertRule(
        *("session_overdue", "warning", "overdue", 1, 1, 60_000),
        "{subject} waits for its bot for longer than it may.",
    ),
    AlertRule(
        *("settings_refused", "warning", "settings_refused", 1, 1, 10_000),
        "The {subject} will not do: what held before holds on. GET /api/settings says why.",
    ),
    AlertRule("recovery_in_vain", "critical", "escalated", 1, 1, 0, "In vain so far: {subject}."),
    AlertRule(
        "loop_blocked", "warning", "loop_lag_ms", 500, 200, 20_000, "{subject}: {value} ms late."
    ),
)
"""Percentages are of the machine. For how long each must last follows from how fast it does harm:
a full disk stops acknowledgements at once, a busy CPU delays words."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert; `cleared_unix_ms` is None while it holds."""

    code: str
    level: Level
    subject: str
    message: str
    value: int
    raised_unix_ms: int
    cleared_unix_ms: int | None = None
    alert_id: int | None = None
    """Its number once it is stored."""
    occurrence: int = 1
    """Counts the times that it was raised for its subject, this one included."""


class AlertBook:
    """Judges figures by rules, and remembers what holds."""

    def __init__(self, rules: Sequence[AlertRule] = RULES) -> None:
        self._rules = tuple(rules)
        self._active: dict[tuple[str, str], Alert] = {}
        self._over_since_ms: dict[tuple[str, str], int] = {}
        self._told_at_ms: dict[tuple[str, str], int] = {}
        self._looked_at_ms: int | None = None

    @property
    def active(self) -> tuple[Alert, ...]:
        """What holds now: critical first, then the oldest first."""
        order = sorted(
            self._active.values(),
            key=lambda one: (one.level != "critical", one.raised_unix_ms, one.code, one.subject),
        )
        return tuple(order)

    def observe(self, figures: Iterable[Figure], now_unix_ms: int) -> tuple[Alert, ...]:
        """Take the figures of one look; returns the alerts that were raised or cleared by it."""
        self._follow_clock(now_unix_ms)
        values = {(one.name, one.subject): one.value for one in figures}
        changes = []
        for rule in self._rules:
            changes += self._judge(rule, values, now_unix_ms)
        return (*changes, *self._clear_unmeasured(now_unix_ms))

    def _follow_clock(self, now_ms: int) -> None:
        """A clock that was set back takes what is remembered along: else nothing would last long
        enough to be raised until it is where it was."""
        back_ms = 0 if self._looked_at_ms is None else self._looked_at_ms - now_ms
        self._looked_at_ms = now_ms
        if back_ms > 0:
            for times in (self._over_since_ms, self._told_at_ms):
                times.update({key: at_ms - back_ms for key, at_ms in times.items()})

    def restore(self, alerts: Iterable[Alert], now_unix_ms: int) -> None:
        """Take over what held before a restart; what is not measured again clears as ever."""
        for alert in alerts:
            key = (alert.code, alert.subject)
            self._active.setdefault(key, alert)
            self._told_at_ms.setdefault(key, now_unix_ms)

    def stored(self, alert: Alert) -> None:
        """An alert was stored: it has its number now."""
        key = (alert.code, alert.subject)
        active = self._active.get(key)
        if active is not None and active.raised_unix_ms == alert.raised_unix_ms:
            self._active[key] = alert

    def _judge(
        self, rule: AlertRule, values: Mapping[tuple[str, str], int], now_ms: int
    ) -> list[Alert]:
        changes = []
        for (name, subject), value in values.items():
            if name != rule.figure:
                continue
            key = (rule.code, subject)
            self._told_at_ms[key] = now_ms
            if key in self._active:
                if value < rule.clear_below:
                    changes.append(self._clear(key, now_ms))
            elif value < rule.raise_at:
                self._over_since_ms.pop(key, None)
            elif now_ms - self._over_since_ms.setdefault(key, now_ms) >= rule.for_ms:
                changes.append(self._raise(rule, subject, value, now_ms))
        return changes

    def _clear_unmeasured(self, now_ms: int) -> list[Alert]:
        gone = [
            key
            for key, told_at_ms in self._told_at_ms.items()
            if now_ms - told_at_ms >= UNMEASURED_MS
        ]
        for key in gone:
            del self._told_at_ms[key]
            self._over_since_ms.pop(key, None)
        return [self._clear(key, now_ms) for key in gone if key in self._active]

    def _raise(self, rule: AlertRule, subject: str, value: int, now_ms: int) -> Alert:
        message = rule.message.format(subject=subject, value=value)
        alert = Alert(rule.code, rule.level, subject, message, value, now_ms)
        self._active[rule.code, subject] = alert
        self._over_since_ms.pop((rule.code, subject), None)
        return alert

    def _clear(self, key: tuple[str, str], now_ms: int) -> Alert:
        return replace(self._active.pop(key), cleared_unix_ms=now_ms)
