"""Which tests run one after the other where several processes run them (`pytest -n 2`).

A module's tests stay together, for what they share is made once in each process. Modules begin in
the order of their names' folders: unit tests first, those of the whole service last. With `-x`, a
failure in one process ends the others after the test that they are at.
"""

from pathlib import Path, PurePath

import pytest
from xdist.remote import Producer
from xdist.scheduler.loadfile import LoadFileScheduling

ONE_SERVICE = "tests/acceptance"
"""Its modules are one unit, with one service for them all, but for those that have their own."""

OWN_SERVICE = {"test_access.py", "test_chaos_short.py", "test_people.py"}


class FastFirst(LoadFileScheduling):  # type: ignore[misc]
    """Hands modules to processes, each when it is almost done with what it has."""

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        super().__init__(config, log)
        # Else those with the most tests come first.
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        module = PurePath(super()._split_scope(nodeid))
        if str(module.parent) == ONE_SERVICE and module.name not in OWN_SERVICE:
            return ONE_SERVICE
        return str(module)


class StopTogether:
    """Of a process that runs tests beside others: theirs would run on for minutes."""

    def __init__(self, session: pytest.Session) -> None:
        self._session = session
        self._failed = Path(session.config.option.basetemp).parent / "failed"
        """There once a test has failed in any of the processes; of this run alone."""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._failed.touch()

    def pytest_runtest_logfinish(self) -> None:
        if self._failed.exists():
            self._session.shouldstop = "a test failed, perhaps in another process"
