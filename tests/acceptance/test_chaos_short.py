"""Nothing lost, nothing doubled: a short form of what `make chaos` does for hours."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from tests.chaos.coded_whisper import CodedWhisper
from tests.chaos.flapping import run_flapping
from tests.chaos.kill_matrix import ALL_VICTIMS, WHOLE_SERVICE, run_kills
from tests.chaos.network import run_cuts, run_rudeness
from tests.chaos.outages import run_outages
from tests.chaos.seams import run_seams
from tests.chaos.service_under_test import ServiceUnderTest

SECONDS = 12.0
OUTAGE_S = 5.0
SEAMS = 100


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


def test_seams_lose_and_double_no_word() -> None:
    figures = run_seams(SEAMS)
    assert figures.failures == []
    assert figures.pending_samples == 0


async def test_an_outage_of_whisper_or_the_database_costs_no_word(stage: Stage) -> None:
    figures = await run_outages(
        stage.service,
        stage.whisper,
        ("whisper answers 500", "whisper hangs", "PostgreSQL stalls"),
        stage.folder,
        outage_s=OUTAGE_S,
        seed=1,
    )
    assert figures.session.is_right, figures.session


async def test_bad_networks_and_bad_clients_change_no_word(stage: Stage) -> None:
    cut, rude, flapping = await asyncio.gather(
        run_cuts(stage.service, stage.folder, seconds=SECONDS, seed=1),
        run_rudeness(stage.service, seconds=SECONDS, seed=1),
        run_flapping(stage.service, stage.folder, seconds=SECONDS, seed=1),
    )
    assert cut.session.is_right, cut
    assert rude.session.is_right, rude
    assert flapping.session.is_right, flapping
    assert flapping.unlike == 0


async def test_killed_processes_cost_no_frame_and_no_word(stage: Stage) -> None:
    plan = [victim for victim in ALL_VICTIMS if victim != WHOLE_SERVICE]
    figures = await run_kills(
        stage.service, plan, stage.folder, seed=1, kills_per_session=len(plan)
    )
    assert figures.is_right, figures


async def test_a_killed_service_goes_on_where_it_was(stage: Stage) -> None:
    figures = await run_kills(stage.service, [WHOLE_SERVICE], stage.folder, seed=2)
    assert figures.is_right, figures
