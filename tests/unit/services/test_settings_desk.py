"""Where settings are kept: the file is followed, and what is bad leaves what is good."""

import os
from pathlib import Path
from typing import Any

import pytest

from orchestration.config.layers import Layers
from orchestration.config.models import Settings
from orchestration.errors import SettingsConflict, SettingsRefused, Unavailable
from orchestration.services.settings_desk import SettingsChange, SettingsDesk
from tests.doubles.in_memory_settings import InMemorySettings


class Kept:
    """A desk over a file, and what it told."""

    def __init__(self, folder: Path, text: str, store: InMemorySettings | None = None) -> None:
        self.file = folder / "settings.yaml"
        self._mtime_ns = 1_700_000_000_000_000_000
        self.write(text)
        self.store = store or InMemorySettings()
        self.told: list[tuple[int, Settings]] = []
        layers = Layers.read({"HOME": "/home/ana"}, self.file)
        self.desk = SettingsDesk(
            layers, self.store, lambda *told: self.told.append(told), lambda: 1_700_000_000_000
        )

    def write(self, text: str) -> None:
        self.file.write_text(text)
        self._mtime_ns += 1_000_000_000
        os.utime(self.file, ns=(self._mtime_ns, self._mtime_ns))

    async def look_at_file(self) -> None:
        """Twice, as a file is read that has come to rest."""
        await self.desk.look_at_file()
        await self.desk.look_at_file()

    async def change(self, **patch: Any) -> None:
        await self.desk.change(SettingsChange("ana", patch=patch))

    @property
    def max_open(self) -> int:
        return self.desk.settings.sessions.max_open


async def test_a_changed_file_is_a_version_of_its_own(tmp_path: Path) -> None:
    kept = Kept(tmp_path, "sessions: {max_open: 5}")
    await kept.desk.restore()
    await kept.look_at_file()
    assert kept.store.versions == []
    kept.write("sessions: {max_open: 6}")
    await kept.look_at_file()
    (version,) = kept.store.versions
    assert version.changed_by == "configuration file"
    assert [(one.place, one.before, one.after) for one in version.differences] == [
        ("sessions.max_open", 5, 6)
    ]
    assert kept.told[-1][0] == 1
    assert kept.told[-1][1].sessions.max_open == 6


async def test_a_file_is_not_followed_while_it_is_written(tmp_path: Path) -> None:
    kept = Kept(tmp_path, "sessions: {max_open: 5}")
    await kept.look_at_file()
    for half in ("", "sessions:", "sessions: {"):
        kept.write(half)
        await kept.desk.look_at_file()
    kept.file.unlink()
    await kept.desk.look_at_file()
    assert (kept.max_open, kept.desk.state().fault, kept.store.versions) == (5, None, [])
    kept.write("sessions: {max_open: 6}")
    await kept.look_at_file()
    assert kept.max_open == 6


@pytest.mark.parametrize("bad", ["sessions: {max_open: 0}", "[", "nonsense: 1", "- a"])
async def test_a_bad_file_keeps_the_last_good_one_and_is_told_of(tmp_path: Path, bad: str) -> None:
    kept = Kept(tmp_path, "sessions: {max_open: 5}")
    kept.write(bad)
    await kept.look_at_file()
    assert kept.max_open == 5
    assert kept.desk.state().fault
    assert kept.desk.refused == {"configuration file": True, "stored settings": False}
    kept.write("sessions: {max_open: 8}")
    await kept.look_at_file()
    assert (kept.max_open, kept.desk.state().fault) == (8, None)
    assert not any(kept.desk.refused.values())


async def test_a_file_that_is_gone_is_a_bad_one(tmp_path: Path) -> None:
    kept = Kept(tmp_path, "sessions: {max_open: 5}")
    kept.file.unlink()
    await kept.look_at_file()
    assert kept.max_open == 5
    assert "cannot be read" in (kept.desk.state().fault or "")


async def test_a_change_that_cannot_be_stored_is_not_applied(tmp_path: Path) -> None:
    kept = Kept(tmp_path, "")
    kept.store.is_away = True
    with pytest.raises(Unavailable):
        await kept.change(sessions={"max_open": 7})
    assert (kept.max_open, kept.told) == (1000, [])
    kept.write("sessions: {max_open: 8}")
    await kept.look_at_file()
    assert kept.max_open == 1000
    kept.store.is_away = False
    await kept.look_at_file()
    assert kept.max_open == 8


async def test_what_is_stored_and_no_longer_fits_is_left_aside(tmp_path: Path) -> None:
    kept = Kept(tmp_path, "")
    await kept.change(sessions={"chunking": {"overlap_ms": 3000}})
    again = Kept(tmp_path, "sessions: {chunking: {chunk_ms: 3200}}", kept.store)
    await again.desk.restore()
    assert again.desk.settings.sessions.chunking.overlap_ms == 2000
    assert again.desk.state().fault
    assert again.desk.refused == {"configuration file": False, "stored settings": True}
    await again.desk.change(SettingsChange("ana", reset=()))
    assert again.desk.state().fault is None


async def test_a_file_changed_while_the_service_was_down_makes_a_version(tmp_path: Path) -> None:
    kept = Kept(tmp_path, "")
    await kept.change(sessions={"warm_actors": 2})
    again = Kept(tmp_path, "sessions: {max_open: 9}", kept.store)
    await again.desk.restore()
    assert [one.changed_by for one in kept.store.versions] == ["ana", "start of the service"]
    assert again.told == [(2, again.desk.settings)] * 2
    same = Kept(tmp_path, "sessions: {max_open: 9}", kept.store)
    await same.desk.restore()
    assert same.desk.version == 2


async def test_what_somebody_else_stored_is_taken_up_before_the_conflict(tmp_path: Path) -> None:
    kept = Kept(tmp_path, "")
    other = Kept(tmp_path, "", kept.store)
    await other.change(sessions={"max_open": 3})
    with pytest.raises(SettingsConflict):
        await kept.change(sessions={"warm_actors": 2})
    assert (kept.max_open, kept.desk.version) == (3, 1)
    await kept.change(sessions={"warm_actors": 2})
    with pytest.raises(SettingsRefused):
        await kept.change(sessions={"warm_actors": -2})
    assert kept.desk.version == 2
