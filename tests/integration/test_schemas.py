"""The API is as its OpenAPI document says. `python -m tests.conformance` asks for longer."""

from pathlib import Path

from tests.conformance.schemas import check_schemas


async def test_no_request_finds_the_api_other_than_documented(tmp_path: Path) -> None:
    run = await check_schemas(tmp_path, "examples,fuzzing", max_examples=4, seed=1)

    assert run.is_clean, run.report
    assert run.operations >= 47
