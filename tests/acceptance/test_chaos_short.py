"""Nothing lost, nothing doubled: a short form of what `make chaos` does for hours."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from tests.chaos.coded_whisper import CodedWhisper
from tests.chaos.flapping import run_flapping
from tests.chaos.kill_matrix import ALL_VICTIMS, run_kills
from tests.chaos.network import run_cuts, run_rudeness
from tests.chaos.outages import run_outages
from tests.chaos.seams import Disturbance, run_seams
from tests.chaos.service_under_test import ServiceUnderTest
from tests.service import wait_until_gone

SECONDS = 15.0
OUTAGE_S = 5.0
SEAMS = 50


@dataclass(frozen=True)
class Stage:
    """A service whose whisper understands coded audio."""

    service: ServiceUnderTest
    whisper: CodedWhisper
    folder: Path


@pytest_asyncio.fixture(scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    folder = tmp_path_factory.mktemp("chaos")
    async with CodedWhisper() as whisper:
        service = ServiceUnderTest(
            folder / "data", WHISPER_SERVICE_URL=whisper.url, SERVICE_TIMEOUT=f"{OUTAGE_S:g}"
        )
        await asyncio.to_thread(service.start)
        try:
            yield Stage(service, whisper, folder)
        finally:
            await asyncio.to_thread(service.stop)


@pytest.mark.parametrize("disturbance", ["none", "restarts", "stalls", "forced", "settings"])
def test_seams_lose_and_double_no_word(disturbance: Disturbance) -> None:
    figures = run_seams(SEAMS, disturbance=disturbance)
    assert figures.failures == []
    assert figures.pending_samples == 0


async def test_outages_bad_networks_and_bad_clients_cost_no_word(stage: Stage) -> None:
    """All at once, each in a meeting of its own, to save time."""
    outages, cut, rude, flapping = await asyncio.gather(
        run_outages(
            stage.service,
            stage.whisper,
            ("whisper answers 500", "whisper hangs", "PostgreSQL stalls"),
            stage.folder,
            outage_s=OUTAGE_S,
            seed=1,
        ),
        run_cuts(stage.service, stage.folder, seconds=SECONDS, seed=1),
        run_rudeness(stage.service, seconds=SECONDS, seed=1),
        run_flapping(stage.service, stage.folder, seconds=SECONDS, seed=1),
    )
    assert outages.session.is_right, outages
    assert cut.session.is_right, cut
    assert rude.session.is_right, rude
    assert flapping.session.is_right, flapping
    assert flapping.unlike == 0


async def test_killed_processes_and_a_killed_service_cost_no_frame_and_no_word(
    stage: Stage,
) -> None:
    figures = await run_kills(
        stage.service, ALL_VICTIMS, stage.folder, seed=1, kills_per_session=len(ALL_VICTIMS)
    )
    assert figures.is_right, figures


def test_a_killed_service_leaves_no_process(stage: Stage) -> None:
    """The last one here: the service is not started again."""
    stage.service.kill()
    wait_until_gone(stage.service.data_dir)
