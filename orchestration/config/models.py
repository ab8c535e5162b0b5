"""Settings: every value with its unit, default and bounds.

Only the edge and the start-up code see these models; session actors get the plain values they
need, because pydantic costs each process memory.
"""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from orchestration.health.signatures import signing_key
from orchestration.session.values import ChunkingValues


class Model(BaseModel):
    """Settings are frozen and refuse unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ServerSettings(Model):
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
    ticket_lifetime_s: int = Field(60, ge=1)
    sign_in_lifetime_s: int = Field(12 * 3600, ge=60)


class IngestSettings(Model):
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


class LiveSettings(Model):
    """Limits of the live protocol."""

    snapshot_segments: int = Field(1000, ge=1)
    replay_events: int = Field(10_000, ge=1)
    """More missed events than this are answered with a snapshot."""
    viewer_queue_events: int = Field(1000, ge=10)
    """Durable events waiting for one viewer; one more closes it with 1013."""


class ChunkingSettings(Model):
    """How a stream is cut; lengths in milliseconds."""

    chunk_ms: int = Field(4000, ge=1000, le=28_000)
    overlap_ms: int = Field(2000, ge=0, le=10_000)
    guard_ms: int = Field(800, ge=0, le=5000)
    pause_search_ms: int = Field(600, ge=0, le=3000)
    max_chunk_ms: int = Field(28_000, ge=1000, le=30_000)
    """A chunk grows up to this when the engine is behind."""
    end_of_speech_ms: int = Field(600, ge=100, le=5000)
    """Silence after which an utterance is over and its words are final."""
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


class SessionPolicy(Model):
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
    recording_retention_days: int = Field(30, ge=0)
    """The audio of a session that ended longer ago is removed; 0 keeps it."""
    loopback_names: tuple[str, ...] = ()
    """A test rig's fixed names: of labels in their order, or of streams by number."""
    chunking: ChunkingSettings = ChunkingSettings()


class UpstreamSettings(Model):
    """One service behind the balancer."""

    url: str = ""
    """Of every kind but `embedded`, which is no service of its own."""
    kind: Literal["openai", "livetranslate", "libretranslate", "embedded"]
    weight: int = Field(1, ge=0, le=1000)
    """0 drains a service: it gets no more requests, and those under way end."""
    model: str = "whisper-1"
    """Which of its models an `openai` service should use."""
    api_key: str | None = None
    labels: Literal["answer", "session"] = "answer"
    """How far its diarization labels mean one voice: within one answer, or in all of a session."""
    health_path: str | None = Field(None, pattern=r"^/[A-Za-z0-9_.~/-]{1,199}$")
    """Its own route that answers 200 while it is well; each kind has one that is asked by default:
    `/health`, or `/v1/models` where there is none, `/api/health` of a livetranslate translation,
    `/languages` of libretranslate."""

    @model_validator(mode="after")
    def url_is_there(self) -> "UpstreamSettings":
        if (self.kind == "embedded") == bool(self.url):
            raise ValueError("every kind of service has a url, but embedded, which has none")
        return self


class BalancingSettings(Model):
    """How the pools deal requests out among their services."""

    policy: Literal["round_robin", "least_latency"] = "round_robin"
    """`round_robin` goes by weight; `least_latency` asks who of two will answer first."""
    hedge: bool = False
    """Whether a request that takes longer than nine in ten is asked of another service as well."""
    adaptive_limit: bool = True
    """Whether a pool finds out how many requests at once a service bears, and has others wait."""
    fewest_at_once: int = Field(2, ge=1, le=1000)
    most_at_once: int = Field(64, ge=1, le=1000)
    initial_at_once: int = Field(16, ge=1, le=1000)
    max_waiting: int = Field(256, ge=1, le=10_000)
    """Requests that wait in a pool; one more is refused to the session with the most waiting."""

    @model_validator(mode="after")
    def bounds_are_in_order(self) -> "BalancingSettings":
        if not self.fewest_at_once <= self.initial_at_once <= self.most_at_once:
            raise ValueError("initial_at_once must be from fewest_at_once to most_at_once")
        return self


class EmbeddedWhisperSettings(Model):
    """The engine that needs nothing else."""

    model: str = "base"
    """`base`, `tiny.en`, another faster-whisper model's name, or a folder."""
    replicas: int = Field(1, ge=1, le=64)
    threads: int = Field(2, ge=1, le=64)
    """Threads of one replica."""
    compute_type: str = "int8"
    beam_size: int = Field(1, ge=1, le=10)


class ServicesSettings(Model):
    """Engines. With none given, the embedded ones serve."""

    whisper: tuple[UpstreamSettings, ...] = ()
    translation: tuple[UpstreamSettings, ...] = ()
    embedded_whisper: EmbeddedWhisperSettings = EmbeddedWhisperSettings()
    diarizer: Literal["off", "embedded"] = "off"
    """Who tells voices apart in streams of several people, where whisper services do not."""
    balancing: BalancingSettings = BalancingSettings()
    timeout_s: float = Field(30, gt=0, le=600)
    """One deadline for a request across all its tries."""
    tries: int = Field(3, ge=1, le=10)
    health_check_interval_s: float = Field(10, gt=0)
    gateway_timeout_s: float | None = Field(None, gt=0, le=600)
    """How long a service's answer may take to begin, or to go on, through the gateway; without it
    `timeout_s`."""
    stalled_after_s: float = Field(180, ge=1)
    """Who has work all this time and does none of it has stopped; more than an engine may take."""

    @model_validator(mode="after")
    def kinds_fit(self) -> "ServicesSettings":
        if any(one.kind == "libretranslate" for one in self.whisper):
            raise ValueError("whisper services are of the kinds openai, livetranslate, embedded")
        if any(one.kind == "openai" for one in self.translation):
            raise ValueError(
                "translation services are of the kinds libretranslate, livetranslate, embedded"
            )
        for pool in (self.whisper, self.translation):
            if pool and not any(one.weight for one in pool):
                raise ValueError("one service of a pool needs a weight over 0")
        return self

    @property
    def embeds_whisper(self) -> bool:
        """Whether the embedded whisper serves, alone or in its pool."""
        return not self.whisper or any(one.kind == "embedded" for one in self.whisper)

    @property
    def embeds_translation(self) -> bool:
        """Whether the embedded translation serves, alone or in its pool."""
        return not self.translation or any(one.kind == "embedded" for one in self.translation)


class AudioSettings(Model):
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


class GoogleMeetSettings(Model):
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


class WebhookSettings(Model):
    """Somebody who is told of each alert by a POST."""

    url: str = Field(pattern=r"^https?://[^\s/]+")
    secret: str = Field(min_length=16, max_length=200)
    """What posts are signed with: any text, or `whsec_` and base64."""

    @model_validator(mode="after")
    def secret_is_readable(self) -> "WebhookSettings":
        signing_key(self.secret)
        return self


class RetentionSettings(Model):
    """How long what is stored stays; see also `sessions.recording_retention_days`."""

    sessions_days: int = Field(0, ge=0)
    """A session that ended longer ago is erased, with all that it has; 0 keeps it."""


class AlertSettings(Model):
    """Who is told of alerts."""

    webhooks: tuple[WebhookSettings, ...] = Field((), max_length=8)

    @model_validator(mode="after")
    def each_is_told_once(self) -> "AlertSettings":
        if len({one.url for one in self.webhooks}) < len(self.webhooks):
            raise ValueError("each webhook may be named once")
        return self


class DatabaseSettings(Model):
    """PostgreSQL. Without a URL the service runs its own, below the data directory."""

    url: str | None = None
    pool_min: int = Field(1, ge=0)
    pool_max: int = Field(4, ge=1)
    """Connections of one process."""
    connect_timeout_s: float = Field(10, gt=0)

    @model_validator(mode="after")
    def pool_has_room(self) -> "DatabaseSettings":
        if self.pool_min > self.pool_max:
            raise ValueError("pool_min must not be above pool_max")
        return self


class Settings(Model):
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
