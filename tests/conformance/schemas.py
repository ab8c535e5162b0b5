"""Schemathesis over the OpenAPI document: every check, every operation, against the real API."""

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.conformance.documented_service import KEY, documented_service

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
ENDLESS = "/api/alerts/stream"
"""Its answer never ends, and schemathesis reads answers to their end; its own tests are in
tests/integration/test_api_alert_stream.py."""
ANSWER_TIMEOUT_S = 60


@dataclass(frozen=True)
class Run:
    """What one run of schemathesis found; `report` is its output."""

    operations: int
    cases: int
    failures: int
    errors: int
    report: str

    @property
    def is_clean(self) -> bool:
        return self.cases > 0 and self.failures == self.errors == 0


async def check_schemas(work_dir: Path, phases: str, max_examples: int, seed: int) -> Run:
    """Serve the API in `work_dir`, and let schemathesis ask it `max_examples` times and more for
    each operation and phase."""
    found = work_dir / "report.json"
    async with documented_service(work_dir) as server:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIGURATION)),
            *("run", f"{server.url}/openapi.json", "--header", f"Authorization: Bearer {KEY}"),
            *("--checks", "all", "--phases", phases, "--max-examples", str(max_examples)),
            *("--seed", str(seed), "--exclude-path", ENDLESS, "--continue-on-failure"),
            *("--request-timeout", str(ANSWER_TIMEOUT_S), "--suppress-health-check", "all"),
            *("--generation-database", "none", "--report", "json"),
            *("--report-json-path", str(found)),
            env={**os.environ, "SCHEMATHESIS_HOOKS": "tests.conformance.hooks"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
    report = json.loads(found.read_text()) if found.exists() else {}
    return Run(
        operations=report.get("operations", {}).get("tested", 0),
        cases=report.get("test_cases", {}).get("generated", 0),
        failures=report.get("test_cases", {}).get("unique_failures", 0),
        errors=len(report.get("errors", [None])),
        report=output.decode(errors="replace"),
    )
