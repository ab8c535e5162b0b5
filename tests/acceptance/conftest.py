"""One running service for all acceptance tests that do not stop it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service import RunningService, service


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    data_dir: Path = tmp_path_factory.mktemp("service") / "data"
    with service(data_dir) as started:
        yield started
