"""Kills, cuts and starves a service of its own, and prints what that cost: `make chaos`.

Ends with 1 when anything was lost, doubled, out of order or never came back.
"""

import argparse
import asyncio
import contextlib
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.coded_hearing import Fragments
from tests.chaos.coded_whisper import CodedWhisper
from tests.chaos.flapping import run_flapping
from tests.chaos.kill_matrix import ALL_VICTIMS, run_kills
from tests.chaos.network import run_cuts, run_rudeness
from tests.chaos.outages import OUTAGES, run_outages
from tests.chaos.seams import Disturbance, run_seams
from tests.chaos.service_under_test import ServiceUnderTest
from tests.chaos.settings_changes import run_settings_changes
from tests.chaos.tables import (
    flapping_table,
    kills_table,
    network_table,
    outages_table,
    seams_table,
    sessions_table,
    settings_table,
)


@dataclass(frozen=True)
class Scene:
    """What the parts need: the options, a running service, its whisper, a scratch folder."""

    options: argparse.Namespace
    service: ServiceUnderTest
    whisper: CodedWhisper
    folder: Path


async def kills(scene: Scene) -> bool:
    options = scene.options
    plan = [victim for victim in options.victims for _ in range(options.runs)]
    figures = await run_kills(scene.service, plan, scene.folder, seed=options.seed)
    print(kills_table(figures), sessions_table(figures.sessions), *figures.troubles, sep="\n")
    return figures.is_right


async def network(scene: Scene) -> bool:
    seconds, seed = scene.options.seconds, scene.options.seed
    figures = [
        await run_cuts(scene.service, scene.folder, seconds=seconds, seed=seed),
        await run_rudeness(scene.service, seconds=seconds, seed=seed),
    ]
    sessions = [one.session for one in figures]
    print(network_table(figures), sessions_table(sessions), sep="\n")
    return all(session.is_right for session in sessions)


async def outages(scene: Scene) -> bool:
    figures = await run_outages(
        scene.service,
        scene.whisper,
        list(OUTAGES),
        scene.folder,
        outage_s=scene.options.outage,
        seed=scene.options.seed,
    )
    print(outages_table(figures), sessions_table([figures.session]), sep="\n")
    return figures.session.is_right


async def flapping(scene: Scene) -> bool:
    figures = await run_flapping(
        scene.service, scene.folder, seconds=scene.options.seconds, seed=scene.options.seed
    )
    print(flapping_table(figures), sessions_table([figures.session]), sep="\n")
    return figures.session.is_right and not figures.unlike


def seams(options: argparse.Namespace) -> bool:
    kinds: tuple[tuple[Fragments, Disturbance], ...] = (
        ("dropped", "none"),
        ("garbled", "none"),
        ("garbled", "stalls"),
        ("garbled", "restarts"),
        ("garbled", "forced"),
        ("garbled", "settings"),
    )
    figures = [
        run_seams(options.seams, seed=options.seed, fragments=fragments, disturbance=disturbance)
        for fragments, disturbance in kinds
    ]
    print(seams_table([f"{kind[0]}, {kind[1]}" for kind in kinds], figures))
    return all(not one.failures and not one.pending_samples for one in figures)


async def settings(scene: Scene) -> bool:
    figures = await run_settings_changes(
        scene.service, scene.folder, seed=scene.options.seed, changes=scene.options.changes
    )
    print(settings_table(figures), sessions_table(figures.sessions), sep="\n")
    return figures.is_right


PARTS: Mapping[str, Callable[[Scene], Awaitable[bool]]] = {
    "kills": kills,
    "outages": outages,
    "network": network,
    "flapping": flapping,
    "settings": settings,
}
"""The parts that need a running service."""


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parts = ("seams", *PARTS)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(parts)}; all")
    parser.add_argument("--runs", type=int, default=20, help="kills of each victim")
    parser.add_argument("--victims", nargs="+", default=ALL_VICTIMS, choices=ALL_VICTIMS)
    parser.add_argument("--outage", type=float, default=60, help="seconds of each outage")
    parser.add_argument("--seconds", type=float, default=300, help="of network and flapping")
    parser.add_argument("--changes", type=int, default=100, help="of the settings")
    parser.add_argument("--seams", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="a folder to keep the service's data and logs in")
    options = parser.parse_args(arguments)
    options.parts = options.parts or list(parts)
    unknown = [part for part in options.parts if part not in parts]
    if unknown:
        parser.error(f"no part is called {unknown[0]}")
    return options


async def run(options: argparse.Namespace) -> bool:
    right = seams(options) if "seams" in options.parts else True
    wanted = [part for name, part in PARTS.items() if name in options.parts]
    if not wanted:
        return right
    with _folder(options.keep) as folder:
        async with CodedWhisper() as whisper:
            service = ServiceUnderTest(folder / "data", WHISPER_SERVICE_URL=whisper.url)
            try:
                await asyncio.to_thread(service.start)
                for part in wanted:
                    right &= await part(Scene(options, service, whisper, folder))
            finally:
                await asyncio.to_thread(service.stop)
    return right


@contextlib.contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    """The folder to keep, else one that is gone afterwards."""
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="chaos-") as name:
            yield Path(name)
    else:
        keep.mkdir(parents=True)
        yield keep


if __name__ == "__main__":
    sys.exit(0 if asyncio.run(run(parse(sys.argv[1:]))) else 1)
