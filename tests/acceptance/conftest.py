"""One running service for all acceptance tests that do not stop it."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.acceptance.raw_client import Service
from tests.service import RunningService
from tests.service import service as running_service


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    data_dir: Path = tmp_path_factory.mktemp("service") / "data"
    with running_service(data_dir) as started:
        yield started


@pytest_asyncio.fixture
async def service(running: RunningService) -> AsyncIterator[Service]:
    """The running service, through HAProxy, by a client that knows nothing but its protocol."""
    async with Service.at(running.url) as connected:
        yield connected
