"""The examples of docs/client.md run as they stand."""

import ast
import re
from inspect import CO_COROUTINE
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest

from orchestration.health.alerts import Alert
from orchestration.storage.alert_ports import AlertChange
from tests.data.make_files import FORMATS, tone_file
from tests.doubles.api_server import api_server

PAGE = Path(__file__).parents[2] / "docs" / "client.md"
FULL = Alert("disk_full", "critical", "machine", "Disk: 97 %.", 97, 1000, None, 1)
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)


async def test_every_example_of_the_client_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(EXAMPLES) >= 9
    async with api_server(tmp_path) as server:
        server.archive.changes.append(AlertChange(1, "raised", 1000, FULL))
        audio_file = tmp_path / "interview.flac"
        audio_file.write_bytes(tone_file(FORMATS["flac"]))
        names: dict[str, Any] = {"url": server.url, "audio_file": audio_file}
        for number, example in enumerate(EXAMPLES):
            flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
            code = compile(example, f"{PAGE.name}, example {number}", "exec", flags=flags)
            running = FunctionType(code, names)()
            if code.co_flags & CO_COROUTINE:
                await running
    said = capsys.readouterr().out
    assert "created" in said
    assert "completed" in said
    assert "Chunk 0 is durable" in said
    assert "1 raised Disk: 97 %." in said
    assert "No translation service is configured" in said
