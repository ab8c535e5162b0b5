"""What all tests share."""

from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from xdist.remote import Producer

    from tests.scheduling import FastFirst

# A busy machine is no reason for a property to fail.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: "Producer") -> "FastFirst":
    from tests.scheduling import FastFirst

    return FastFirst(config, log)


def pytest_sessionstart(session: pytest.Session) -> None:
    is_one_of_several = hasattr(session.config, "workerinput")
    if is_one_of_several and session.config.option.maxfail == 1:
        from tests.scheduling import StopTogether

        session.config.pluginmanager.register(StopTogether(session))
