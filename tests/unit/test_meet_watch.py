"""Google Meet's records without what it takes to read them."""

from pathlib import Path
from typing import Any

import pytest
import structlog

from actors.meet_watch import MeetWatch
from orchestration.config.models import GoogleMeetSettings


@pytest.mark.parametrize(
    ("settings", "status", "detail"),
    [
        ({}, "not_configured", "No credentials"),
        ({"enabled": False}, "disabled", "enabled is off"),
        ({"credentials_file": Path("/nowhere.json")}, "failing", "cannot be read"),
        ({"credentials_json": "{}"}, "failing", "type service_account or authorized_user"),
    ],
)
async def test_what_cannot_be_read_is_said_once_and_nothing_is_asked(
    settings: dict[str, Any], status: str, detail: str
) -> None:
    watch = MeetWatch(GoogleMeetSettings(**settings))
    no_database: Any = None
    with structlog.testing.capture_logs() as logs:
        await watch.run(no_database, {})
    assert [one["event"] for one in logs] == ["google_meet_not_read"]
    assert watch.integration.status == status
    assert detail in watch.integration.detail
