"""Settings: every value with its unit, default and bounds.

Only the edge and the start-up code see these models; session actors get the plain values they
need, because pydantic costs each process memory.
"""

import re
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from orchestration.config.section import Section
from orchestration.config.service_models import ServicesSettings
from orchestration.health.signatures import signing_key
from orchestration.session.values import ChunkingValues

MAX_RETENTION_DAYS = 36_500
"""A hundred years; beyond the calendar's beginning nothing would be removed at all."""
MAX_SIGN_IN_S = 400 * 86_400
"""Browsers keep no cookie for longer."""


class ServerSettings(Section):
    """Where the service listens and whom it lets in."""

    host: str = "127.0.0.1"
    port: int = Field(3000, ge=0, le=65535)
    api_key_sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$")
    allowed_origins: tuple[str, ...] = ()
    """Origins of browser pages, beyond the service's own, that may open its WebSockets."""
    ingress_replicas: int = Field(1, ge=1, le=64)
    websocket_max_connections: int = Field(10_000, ge=1)
    """WebSockets of one ingress replica; one more is refused with 429."""
    websocket_max_per_address: int = Field(1000, ge=1)
    """WebSockets of one address at one ingress replica; loopback addresses have no such limit."""
    websocket_idle_timeout_s: int = Field(1800, ge=1)
    max_requests_per_s: int = Field(0, ge=0, le=100_000)
    """Requests and handshakes of one address at one ingress replica, in the long run; 0 is no
    limit, and loopback addresses have none."""
    request_burst: int = Field(100, ge=1, le=100_000)
    """So many of them may come at once."""
    socket_io_ping_interval_s: int = Field(30, ge=1, le=3600)
    """Between two pings to a Socket.IO client, which is let go when it does not answer."""
    ticket_lifetime_s: int = Field(60, ge=1, le=86_400)
    sign_in_lifetime_s: int = Field(12 * 3600, ge=60, le=MAX_SIGN_IN_S)

    @field_validator("host")
    @classmethod
    def brackets_are_of_urls(cls, host: str) -> str:
        """`[::1]` is how a URL has the address that is listened on as `::1`."""
        return host[1:-1] if host.startswith("[") and host.endswith("]") else host

    @field_validator("allowed_origins")
    @classmethod
    def origins_are_what_browsers_send(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if not re.fullmatch(r"[A-Za-z][\w+.-]*://[^/?#@\s]+/?", origin) or not _has_host(
                origin
            ):
                raise ValueError(f"{origin} is no origin, as https://app.example.org is")
        return origins


class IngestSettings(Section):
    """Limits of the ingest protocol; each is named in the error that it causes."""

    hello_timeout_s: float = Field(10, gt=0)
    max_frame_bytes: int = Field(65_536, ge=1024)
    """With the header; a larger frame is refused with 1009."""
    max_text_bytes: int = Field(65_536, ge=1024)
    max_streams: int = Field(64, ge=1)
    max_participants: int = Field(1000, ge=1)
    max_name_characters: int = Field(200, ge=1)
    max_facts_per_s: int = Field(50, ge=1)
    max_json_depth: int = Field(16, ge=2)
    window_frames: int = Field(600, ge=1)
    """Unacked frames a sender may have under way per stream."""
    ack_ms: int = Field(250, ge=10)
    max_batch_bytes: int = Field(2_097_152, ge=65_536)
    """Audio that one call to a session carries; the rest goes in the next."""

    @model_validator(mode="after")
    def a_frame_fits_a_batch(self) -> "IngestSettings":
        if self.max_frame_bytes > self.max_batch_bytes:
            raise ValueError("max_frame_bytes must not be above max_batch_bytes")
        return self


class LiveSettings(Section):
    """Limits of the live protocol."""

    snapshot_segments: int = Field(1000, ge=1)
    replay_events: int = Field(10_000, ge=1)
    """More missed events than this are answered with a snapshot."""
    viewer_queue_events: int = Field(1000, ge=10)
    """Durable events waiting for one viewer; one more closes it with 1013."""


class ChunkingSettings(Section):
    """How a stream is cut; lengths in milliseconds."""

    chunk_ms: int = Field(4000, ge=1000, le=28_000)
    overlap_ms: int = Field(2000, ge=0, le=10_000)
    guard_ms: int = Field(800, ge=0, le=5000)
    pause_search_ms: int = Field(600, ge=0, le=3000)
    max_chunk_ms: int = Field(28_000, ge=1000, le=30_000)
    """A chunk grows up to this when the engine is behind."""
    end_of_speech_ms: int = Field(600, ge=100, le=5000)
    """Silence after which an utterance is over and its words are final."""
    early_end_ms: int = Field(400, ge=100, le=5000)
    """Silence after which the end of an utterance is sent, should it be one; at
    `end_of_speech_ms` or above it waits until that is known."""
    speech_margin_ms: int = Field(300, ge=0, le=2000)
    """Audio around speech that is sent with it."""
    voice_mode: int = Field(2, ge=0, le=3)
    """webrtcvad's aggressiveness; 3 calls most audio silence."""

    @model_validator(mode="after")
    def lengths_fit(self) -> "ChunkingSettings":
        fault = ChunkingValues(**self.model_dump()).fault
        if fault is not None:
            raise ValueError(fault)
        return self


class SessionPolicy(Section):
    """Limits and defaults of sessions."""

    max_open: int = Field(1000, ge=1)
    warm_actors: int = Field(1, ge=0, le=64)
    """Idle session actors kept ready, so that a session starts at once."""
    abandoned_after_s: int = Field(300, ge=1)
    """A session without its bot for this long is ended."""
    prompt_characters: int = Field(0, ge=0, le=1000)
    """Text said just before that whisper is given with each chunk. 200 suits large models, which
    punctuate better with it; small ones repeat it instead of listening."""
    record: bool = True
    """Whether audio is kept, as FLAC files. Otherwise it goes when its words are final."""
    recording_file_s: int = Field(60, ge=5, le=300)
    """Audio in one file of a recording."""
    recording_retention_days: int = Field(30, ge=0, le=MAX_RETENTION_DAYS)
    """The audio of a session that ended longer ago is removed; 0 keeps it."""
    loopback_names: tuple[str, ...] = ()
    """A test rig's fixed names: of labels in their order, or of streams by number."""
    chunking: ChunkingSettings = ChunkingSettings()


class AudioSettings(Section):
    """Limits of audio that comes as files and as chunks; each is named in the error it causes."""

    preset: Literal[
        "default",
        "voice",
        "noisy",
        "music",
        "minimal",
        "aggressive",
        "conference",
        "broadcast",
        "interpreter",
    ] = "default"
    """The stages before whisper in sessions that do not say; `default` has none."""
    max_upload_bytes: int = Field(104_857_600, ge=1024, le=1_000_000_000)
    max_upload_duration_s: int = Field(14_400, ge=1)
    """Of the decoded audio, whatever the file declares."""
    max_expansion: int = Field(1000, ge=10)
    """Decoded bytes for each byte of a file."""
    max_uploads: int = Field(2, ge=1, le=64)
    """Files under way at once in one ingress replica; one more is refused with 429."""
    upload_timeout_s: int = Field(600, ge=1)
    """How long a file may take to arrive."""
    decode_timeout_s: int = Field(600, ge=1)
    """CPU time of decoding a file, and wall time spent waiting for it."""
    answer_within_s: float = Field(20, ge=0, le=300)
    """An upload that takes longer is answered with a job to ask after."""
    max_chunk_bytes: int = Field(4_194_304, ge=65_536, le=67_108_864)
    """PCM, or a file, in one `POST /api/audio/chunk`."""
    chunk_sender_idle_s: int = Field(60, ge=1)
    """A session whose chunks stop for this long waits for another sender."""


class GoogleMeetSettings(Section):
    """Google Meet's own records. Without credentials they are not read."""

    enabled: bool = True
    credentials_file: Path | None = None
    """A `service_account` or `authorized_user` file as Google issues it, there on every node."""
    credentials_json: str | None = None
    """The content of such a file; taken before `credentials_file`."""
    subject: str | None = None
    """The user whom a service account stands in for, by domain-wide delegation."""
    base_url: str = "https://meet.googleapis.com"
    timeout_s: float = Field(10, gt=0, le=60)
    tries: int = Field(3, ge=1, le=10)
    poll_interval_s: int = Field(30, ge=1, le=3600)
    """Between two looks at the participants of a running meeting."""
    transcript_patience_s: int = Field(6 * 3600, ge=0)
    """How long after a session's end Meet's transcript is waited for."""


class WebhookSettings(Section):
    """Somebody who is told of each alert by a POST."""

    url: str = Field(pattern=r"^https?://[^\s/]+")
    secret: str = Field(min_length=16, max_length=200)
    """What posts are signed with: any text, or `whsec_` and base64."""

    @model_validator(mode="after")
    def secret_is_readable(self) -> "WebhookSettings":
        signing_key(self.secret)
        return self


class RetentionSettings(Section):
    """How long what is stored stays; see also `sessions.recording_retention_days`."""

    sessions_days: int = Field(0, ge=0, le=MAX_RETENTION_DAYS)
    """A session that ended longer ago is erased, with all that it has; 0 keeps it."""


class AlertSettings(Section):
    """Who is told of alerts."""

    webhooks: tuple[WebhookSettings, ...] = Field((), max_length=8)

    @model_validator(mode="after")
    def each_is_told_once(self) -> "AlertSettings":
        if len({one.url for one in self.webhooks}) < len(self.webhooks):
            raise ValueError("each webhook may be named once")
        return self


class DatabaseSettings(Section):
    """PostgreSQL. Without a URL the service runs its own, below the data directory."""

    url: str | None = None
    pool_min: int = Field(1, ge=0)
    pool_max: int = Field(4, ge=1)
    """Connections of one process."""
    connect_timeout_s: float = Field(10, gt=0)

    @field_validator("url")
    @classmethod
    def url_is_of_postgresql(cls, url: str | None) -> str | None:
        # Said here, before anything starts; without the URL, which may hold a password.
        if not url:
            return url
        if not url.startswith(("postgresql://", "postgres://")):
            raise ValueError("it must begin with postgresql://")
        try:
            urlsplit(url).port  # noqa: B018 - it is read for its error
        except ValueError:
            raise ValueError(
                "it has no port from 0 to 65535 where one should be: in a user or "
                "password, write / as %2F, : as %3A, @ as %40, ? as %3F and # as %23"
            ) from None
        return url

    @model_validator(mode="after")
    def pool_has_room(self) -> "DatabaseSettings":
        if self.pool_min > self.pool_max:
            raise ValueError("pool_min must not be above pool_max")
        return self


def _has_host(url: str) -> bool:
    try:
        return bool(urlsplit(url).hostname)
    except ValueError:
        return False


class Settings(Section):
    """The whole configuration of one service."""

    data_dir: Path
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    server: ServerSettings = ServerSettings()
    ingest: IngestSettings = IngestSettings()
    live: LiveSettings = LiveSettings()
    sessions: SessionPolicy = SessionPolicy()
    services: ServicesSettings = ServicesSettings()
    audio: AudioSettings = AudioSettings()
    google_meet: GoogleMeetSettings = GoogleMeetSettings()
    alerts: AlertSettings = AlertSettings()
    retention: RetentionSettings = RetentionSettings()
    database: DatabaseSettings = DatabaseSettings()

    @property
    def recordings_dir(self) -> Path:
        """Where recordings are; in a cluster, mounted from one place on every node."""
        return self.data_dir / "recordings"
