"""Settings changed while the service runs: stored first, applied then, whole or not at all."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

import structlog

from orchestration.config.differences import Difference
from orchestration.config.layers import Layers
from orchestration.config.models import Settings
from orchestration.config.versions import Proposal, SettingsBook, SettingsVersion
from orchestration.errors import (
    ConfigurationError,
    OrchestrationError,
    SettingsConflict,
    SettingsRefused,
    Unavailable,
)
from orchestration.json_types import JsonObject
from orchestration.process_clock import unix_time_ms
from orchestration.storage.settings_ports import SettingsStore

BY_FILE = "configuration file"
BY_START = "start of the service"

FileStamp: TypeAlias = tuple[int, int, int] | Literal["missing", "unread"] | None

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SettingsChange:
    """What somebody wants changed. One of `patch`, `replacement`, `reset` and `rollback` is given.

    `replacement` takes the place of all that is stored; `reset` are dotted places, none for all;
    `rollback` is a version. `expected` is the version that the caller looked at.
    """

    changed_by: str
    patch: JsonObject | None = None
    replacement: JsonObject | None = None
    reset: tuple[str, ...] | None = None
    rollback: int | None = None
    expected: int | None = None
    comment: str = ""


@dataclass(frozen=True, slots=True)
class AppliedSettings:
    """A process, and the version by which it works; `unix_ms` is when it last said so."""

    process: str
    version: int
    unix_ms: int


@dataclass(frozen=True, slots=True)
class SettingsState:
    """The settings that hold, where they come from, and who has them."""

    version: int
    settings: Settings
    overrides: JsonObject
    after_restart: tuple[Difference, ...]
    """What file and environment say otherwise, for the next start."""
    config_file: str | None
    fault: str | None
    """Why the file, or what is stored, is not followed; what held before holds on."""
    applied: tuple[AppliedSettings, ...] = ()


class SettingsControl(Protocol):
    """Where settings are looked at and changed."""

    async def state(self) -> SettingsState:
        """Raises Unavailable: who keeps the settings is away."""
        ...

    async def change(self, change: SettingsChange) -> SettingsVersion:
        """See `SettingsDesk.change`."""
        ...

    async def history(
        self, before: int | None, limit: int
    ) -> tuple[Sequence[SettingsVersion], int | None]:
        """See `SettingsStore.versions_page`."""
        ...


class SettingsDesk:
    """The one who changes settings. Changes are made one after the other."""

    def __init__(
        self,
        layers: Layers,
        store: SettingsStore,
        apply: Callable[[int, Settings], None],
        clock_unix_ms: Callable[[], int] = unix_time_ms,
    ) -> None:
        """`apply` is told of each version once it is stored."""
        self._book = SettingsBook(layers)
        self._store = store
        self._apply = apply
        self._clock_unix_ms = clock_unix_ms
        self._changing = asyncio.Lock()
        self._number = 0
        self._file_seen: FileStamp = "unread"
        self._file_before: FileStamp = "unread"
        """At the last look; a file that differs is still being written, perhaps."""
        self._file_fault: str | None = None
        self._stored_fault: str | None = None

    @property
    def version(self) -> int:
        """The number of the version that holds; 0 before the first change."""
        return self._number

    @property
    def settings(self) -> Settings:
        """The settings that hold."""
        return self._book.settings

    def state(self, applied: Sequence[AppliedSettings] = ()) -> SettingsState:
        """The whole of it."""
        held = self._book.in_force
        file = held.layers.config_file
        return SettingsState(
            self._number,
            held.settings,
            held.overrides,
            held.after_restart,
            None if file is None else str(file),
            self._stored_fault or self._file_fault,
            tuple(applied),
        )

    @property
    def refused(self) -> dict[str, bool]:
        """Of each source of settings that may change, whether what it has now will not do."""
        return {
            "configuration file": self._file_fault is not None,
            "stored settings": self._stored_fault is not None,
        }

    async def restore(self) -> None:
        """Take up what is stored. What no longer fits file and environment is left aside.

        Raises:
            DatabaseUnavailable: ask again.
        """
        async with self._changing:
            newest = await self._store.newest_version()
            if newest is not None:
                self._look_again_at_file()
                self._take_stored(newest)
                if self._stored_fault is None and self._book.in_force.digest != newest.digest:
                    comment = "file or environment have changed meanwhile"
                    await self._store_and_take(self._book.in_force, BY_START, comment)
            self._apply(self._number, self.settings)

    async def change(self, change: SettingsChange) -> SettingsVersion:
        """Store a change and apply it; one that changes nothing is a version too.

        Raises:
            SettingsRefused: it would not do; nothing has changed.
            SettingsConflict: the caller looked at another version.
            UnknownSettings: there is no such version to go back to.
            DatabaseUnavailable: it is not stored, and so not applied.
        """
        async with self._changing:
            if change.expected not in (None, self._number):
                raise SettingsConflict(
                    f"The settings are at version {self._number} by now: look at them again.",
                    {"version": self._number, "expected": change.expected},
                )
            proposal = await self._proposal(change)
            return await self._store_and_take(proposal, change.changed_by, change.comment)

    async def look_at_file(self) -> None:
        """Follow the configuration file, if it has changed; a bad one is told of, and left.

        It is read once two looks have found it the same: half of a file may be good settings.
        """
        stamp = await asyncio.to_thread(_stamp, self._book.in_force.layers.config_file)
        rests, self._file_before = stamp == self._file_before, stamp
        if stamp == self._file_seen or not rests:
            return
        async with self._changing:
            try:
                layers = self._book.in_force.layers.with_file_read_again()
                proposal = self._book.with_layers(layers)
                if self._has_news(proposal):
                    await self._store_and_take(proposal, BY_FILE, "")
                else:
                    self._book.take(proposal)
                self._file_fault = None
            except Unavailable as error:
                log.warning("settings_file_waits", reason=error.message)
                return  # It is looked at again.
            except OrchestrationError as error:
                self._file_fault = error.message
                log.error("settings_file_refused", reason=error.message)
            self._file_seen = stamp

    async def _proposal(self, change: SettingsChange) -> Proposal:
        if change.patch is not None:
            return self._book.patched(change.patch)
        if change.replacement is not None:
            return self._book.replaced(change.replacement)
        if change.reset is not None:
            return self._book.reset(change.reset or None)
        assert change.rollback is not None, "one of the four is given"
        if change.rollback == 0:
            return self._book.reset(None)
        return self._book.over((await self._store.version(change.rollback)).overrides)

    async def _store_and_take(self, proposal: Proposal, by: str, comment: str) -> SettingsVersion:
        version = SettingsVersion(
            self._number + 1,
            proposal.overrides,
            by,
            self._clock_unix_ms(),
            comment,
            proposal.differences,
            proposal.digest,
        )
        try:
            await self._store.add_version(version)
        except SettingsConflict:
            newest = await self._store.newest_version()
            if newest is not None:
                # Perhaps an answer was lost, and this very change is stored.
                self._take_stored(newest)
                self._apply(self._number, self.settings)
            raise
        self._book.take(proposal)
        self._number = version.number
        self._stored_fault = None
        self._apply(version.number, self.settings)
        log.info(
            "settings_changed",
            version=version.number,
            changed_by=by,
            settings=[one.place for one in proposal.differences],
        )
        return version

    def _take_stored(self, version: SettingsVersion) -> None:
        self._number = version.number
        try:
            self._book.take(self._book.over(version.overrides))
            self._stored_fault = None
        except SettingsRefused as error:
            self._stored_fault = error.message
            log.error("stored_settings_refused", version=version.number, reason=error.message)

    def _has_news(self, proposal: Proposal) -> bool:
        held = self._book.in_force
        return bool(proposal.differences) or proposal.after_restart != held.after_restart

    def _look_again_at_file(self) -> None:
        """What the file said at the start may be long ago."""
        try:
            layers = self._book.in_force.layers.with_file_read_again()
            self._book.take(self._book.with_layers(layers))
        except (ConfigurationError, SettingsRefused) as error:
            self._file_fault = error.message
            log.error("settings_file_refused", reason=error.message)


def _stamp(path: Path | None) -> FileStamp:
    """What tells a file from one that was changed or put in its place."""
    if path is None:
        return None
    try:
        status = path.stat()
    except OSError:
        return "missing"
    return status.st_mtime_ns, status.st_size, status.st_ino
