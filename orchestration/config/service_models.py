"""Settings of the engines: the services of each pool, how they are dealt with, and the embedded."""

import re
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator
from yarl import URL

from orchestration.config.section import Section

MOST_WAITING = 10_000
"""No setting lets more requests wait in a pool."""

DISPATCH_MARGIN_S = 90.0
"""What a request may take beyond `services.timeout_s`, within which its pool gives up: the way to
the pool's replica, and the telling apart of voices."""


class UpstreamSettings(Section):
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

    @field_validator("url")
    @classmethod
    def url_is_of_http(cls, url: str) -> str:
        # Said here, before anything starts; without the URL, which may hold a password.
        if url and not re.match(r"https?://[^/?#]", url, re.IGNORECASE):
            raise ValueError("a service's URL must begin with http:// or https://")
        try:
            is_read = not url or bool(URL(url).host)
        except ValueError:
            is_read = False
        if not is_read:
            raise ValueError("a service's URL has a host or port that none can have")
        return url

    @field_validator("api_key")
    @classmethod
    def key_fits_a_header(cls, api_key: str | None) -> str | None:
        if api_key and not api_key.isprintable():
            raise ValueError("a key has no line ends or other control characters")
        return api_key

    @property
    def name(self) -> str:
        """What tells it from others of its pool: its URL without credentials and query."""
        if not self.url:
            return self.kind
        url = URL(self.url).with_user(None).with_query(None).with_fragment(None)
        return str(url).rstrip("/")


class BalancingSettings(Section):
    """How the pools deal requests out among their services."""

    policy: Literal["round_robin", "least_latency"] = "round_robin"
    """`round_robin` goes by weight; `least_latency` asks who of two will answer first."""
    eject_after: int = Field(5, ge=1, le=1000)
    """Failures and slow answers in a row after which a service gets no requests for a while."""
    hedge: bool = False
    """Whether a request that takes longer than nine in ten is asked of another service as well."""
    adaptive_limit: bool = True
    """Whether a pool finds out how many requests at once a service bears, and has others wait."""
    fewest_at_once: int = Field(2, ge=1, le=1000)
    most_at_once: int = Field(64, ge=1, le=1000)
    initial_at_once: int = Field(16, ge=1, le=1000)
    max_waiting: int = Field(256, ge=1, le=MOST_WAITING)
    """Requests that wait in a pool; one more is refused to the session with the most waiting."""

    @model_validator(mode="after")
    def bounds_are_in_order(self) -> "BalancingSettings":
        if not self.fewest_at_once <= self.initial_at_once <= self.most_at_once:
            raise ValueError("initial_at_once must be from fewest_at_once to most_at_once")
        return self


class EmbeddedWhisperSettings(Section):
    """The engine that needs nothing else."""

    model: str = "base"
    """`base`, `tiny.en`, another faster-whisper model's name, or a folder."""
    replicas: int = Field(1, ge=1, le=64)
    threads: int = Field(2, ge=1, le=64)
    """Threads of one replica."""
    compute_type: str = "int8"
    beam_size: int = Field(1, ge=1, le=10)


class ServicesSettings(Section):
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
    """Who has work all this time and does none of it has stopped; a longer `dispatch_timeout_s`
    counts instead, as an answer may still come."""
    auto_recovery: bool = True
    """Whether what stopped working, or is left over, is ended and replaced. Otherwise it is only
    alarmed of; a session whose actor died is given another all the same."""

    @field_validator("diarizer", mode="before")
    @classmethod
    def off_needs_no_quotes(cls, diarizer: Any) -> Any:
        """YAML 1.1 takes `off` for false."""
        return "off" if diarizer is False else diarizer

    @property
    def dispatch_timeout_s(self) -> float:
        """How long whoever asks a pool waits for its answer, in seconds."""
        return self.timeout_s + DISPATCH_MARGIN_S

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
            if len({one.name for one in pool}) < len(pool):
                raise ValueError("each service may be named once in its pool")
        return self

    @property
    def embeds_whisper(self) -> bool:
        """Whether the embedded whisper serves, alone or in its pool."""
        return not self.whisper or any(one.kind == "embedded" for one in self.whisper)

    @property
    def embeds_translation(self) -> bool:
        """Whether the embedded translation serves, alone or in its pool."""
        return not self.translation or any(one.kind == "embedded" for one in self.translation)
