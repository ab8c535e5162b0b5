"""Has Google Meet's records read for the sessions of this service; a part of the coordinator."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import ray
import structlog

from actors.names import NAMESPACE, ask
from orchestration.config.models import GoogleMeetSettings
from orchestration.errors import ConfigurationError, OrchestrationError, Unavailable
from orchestration.health.integrations import Integration
from orchestration.meet.follower import MeetFollower
from orchestration.process_clock import unix_time_ms
from orchestration.session.inputs import ParticipantSighting
from orchestration.storage.pool import Pool
from orchestration.storage.postgres_archive import PostgresArchive
from orchestration.storage.postgres_journal import PostgresJournal
from orchestration.storage.postgres_meet import PostgresMeet

log = structlog.get_logger(__name__)

LOOK_INTERVAL_S = 5.0
"""How often it is asked what is due; each session has an interval of its own."""


class PlacedSessions:
    """The running sessions' actors, by the coordinator's own list of them."""

    def __init__(self, actor_names: Mapping[str, str]) -> None:
        self._actor_names = actor_names

    def has_actor(self, session_id: str) -> bool:
        return session_id in self._actor_names

    async def sighted(self, session_id: str, sightings: Sequence[ParticipantSighting]) -> None:
        try:
            actor: Any = ray.get_actor(self._actor_names[session_id], NAMESPACE)
        except (KeyError, ValueError) as error:
            raise Unavailable("The session's actor is not there yet; ask again.") from error
        await ask(actor.sighted.remote(list(sightings)), "session")


class MeetWatch:
    """Looks for as long as it runs, or says once that it has nothing to look with."""

    def __init__(self, settings: GoogleMeetSettings) -> None:
        self._settings = settings
        self._follower: MeetFollower | None = None
        self._integration = Integration("google_meet", "not_configured", "No credentials are set.")

    @property
    def integration(self) -> Integration:
        """How it is, for operators."""
        if self._follower is not None:
            failing = self._follower.detail
            return Integration("google_meet", "failing" if failing else "active", failing)
        return self._integration

    async def run(self, pool: Pool, actor_names: Mapping[str, str]) -> None:
        """Until cancelled; returns at once without credentials."""
        try:
            self._follower = self._connected(pool, actor_names)
        except ConfigurationError as error:
            self._integration = Integration("google_meet", "failing", error.message)
        if self._follower is None:
            log.info(
                "google_meet_not_read",
                status=self._integration.status,
                detail=self._integration.detail,
            )
            return
        while True:
            try:
                await self._follower.look(unix_time_ms())
            except OrchestrationError as error:
                log.warning("google_meet_look_failed", reason=error.message)
            except Exception:
                log.exception("google_meet_look_failed")
            await asyncio.sleep(LOOK_INTERVAL_S)

    def _connected(self, pool: Pool, actor_names: Mapping[str, str]) -> MeetFollower | None:
        # Here, so that a service without credentials does not pay for their libraries.
        from orchestration.services.google_credentials import GoogleCredentials, read_account
        from orchestration.services.google_meet import GoogleMeet

        settings = self._settings
        if not settings.enabled:
            self._integration = Integration(
                "google_meet", "disabled", "google_meet.enabled is off."
            )
            return None
        account = read_account(settings.credentials_json, settings.credentials_file)
        if account is None:
            return None
        credentials = GoogleCredentials(
            account, subject=settings.subject, timeout_s=settings.timeout_s
        )
        client = GoogleMeet(
            settings.base_url, credentials, timeout_s=settings.timeout_s, tries=settings.tries
        )
        return MeetFollower(
            client,
            PostgresMeet(pool),
            PostgresArchive(pool),
            PostgresJournal(pool),
            PlacedSessions(actor_names),
            interval_ms=settings.poll_interval_s * 1000,
            patience_ms=settings.transcript_patience_s * 1000,
        )
