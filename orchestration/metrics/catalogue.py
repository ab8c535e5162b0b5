"""Every metric of the service, as data.

Names follow Prometheus' conventions: base units, the unit as a suffix, `_total` for counters. No
label ever names a session, a stream or a connection: label values come from closed lists and from
the settings.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["counter", "gauge", "histogram"]
Combine = Literal["sum", "max"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: `combine` says what the gauges of several processes of a node make together.

    `buckets` are the histogram's upper bounds, rising, without the infinite one. `while_there` is a
    gauge with the same labels: what no process sets it for any more is gone, and this with it.
    """

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    combine: Combine = "sum"
    while_there: str = ""


CALL_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""From a database write on a fast disk to the longest request of an engine."""
SPEECH_BUCKETS_S = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 20.0, 60.0, 300.0)
"""From a word to its line, an outage of some minutes included."""

# Sessions

SESSIONS = Metric(
    "orchestration_sessions",
    "gauge",
    "Open sessions by status; silent: their actor has not answered its last probe.",
    ("status",),
)
SESSIONS_CREATED = Metric(
    "orchestration_sessions_created_total", "counter", "Sessions that were created."
)
SESSIONS_ENDED = Metric(
    "orchestration_sessions_ended_total", "counter", "Sessions that ended, by how.", ("status",)
)
WARM_ACTORS = Metric(
    "orchestration_warm_actors", "gauge", "Session actors that wait for a session."
)
ACTOR_RESTARTS = Metric(
    "orchestration_actor_restarts_total",
    "counter",
    "Actors that came in the place of one that died or was stuck: "
    "session, coordinator, health_monitor.",
    ("actor",),
)

# From a frame to a line

FRAMES = Metric("orchestration_frames_total", "counter", "Audio frames that were made durable.")
FRAME_BYTES = Metric(
    "orchestration_frame_bytes_total", "counter", "Audio in frames that were made durable."
)
NACKS = Metric(
    "orchestration_nacks_total", "counter", "Times a sender was told to send frames again."
)
ACKS = Metric(
    "orchestration_acks_total", "counter", "Acks given to senders, one for each stream of a batch."
)
AUDIO_SECONDS = Metric(
    "orchestration_audio_seconds_total",
    "counter",
    "Audio by what became of it: transcribed, silent or lost. "
    "What was lost and heard later counts as both.",
    ("fate",),
)
JOURNAL_LAG_SECONDS = Metric(
    "orchestration_journal_lag_seconds",
    "gauge",
    "Durable audio that nobody has heard yet, of the session that is furthest behind.",
    combine="max",
)
CHUNKS = Metric(
    "orchestration_chunks_total",
    "counter",
    "Chunks that an answer came for: heard or failed. One that is tried again counts again.",
    ("result",),
)
CHUNK_SECONDS = Metric(
    "orchestration_chunk_seconds",
    "histogram",
    "A chunk's time by stage. wait: from its last sample to its turn, in audio that came since; "
    "prepare: its audio is read and resampled; transcribe: until whisper's answer.",
    ("stage",),
    CALL_BUCKETS_S,
)
LINE_COMMIT_SECONDS = Metric(
    "orchestration_line_commit_seconds",
    "histogram",
    "From a line's last word, by the sender's clock, to its being durable and told.",
    (),
    SPEECH_BUCKETS_S,
)
TRANSLATIONS = Metric(
    "orchestration_translations_total",
    "counter",
    "Translations of lines: translated, failed or unsupported.",
    ("result",),
)
TRANSLATION_SECONDS = Metric(
    "orchestration_translation_seconds",
    "histogram",
    "Until a line's translation came.",
    (),
    CALL_BUCKETS_S,
)
ENGINE_REQUESTS = Metric(
    "orchestration_engine_requests_under_way",
    "gauge",
    "Requests of sessions that wait for an engine's answer: transcribe or translate.",
    ("kind",),
)
STORE_SECONDS = Metric(
    "orchestration_store_seconds",
    "histogram",
    "Until PostgreSQL has flushed: append (frames, before their ack) or commit (lines).",
    ("kind",),
    CALL_BUCKETS_S,
)
STORE_RETRIES = Metric(
    "orchestration_store_retries_total",
    "counter",
    "Times a commit had to be repeated because the database was away.",
)

# The services behind. The gateway balances for itself: its pools are gateway_NAME.

UPSTREAM_OUTSTANDING = Metric(
    "orchestration_upstream_outstanding",
    "gauge",
    "Requests that a service has not answered yet.",
    ("pool", "upstream"),
)
UPSTREAM_REQUESTS = Metric(
    "orchestration_upstream_requests_total",
    "counter",
    "Requests to a service of a pool, tries included.",
    ("pool", "upstream"),
    while_there=UPSTREAM_OUTSTANDING.name,
)
UPSTREAM_FAILURES = Metric(
    "orchestration_upstream_failures_total",
    "counter",
    "Requests that a service of a pool failed.",
    ("pool", "upstream"),
    while_there=UPSTREAM_OUTSTANDING.name,
)
UPSTREAM_SECONDS = Metric(
    "orchestration_upstream_seconds",
    "histogram",
    "How long a service took to answer, or to fail.",
    ("pool", "upstream"),
    CALL_BUCKETS_S,
    while_there=UPSTREAM_OUTSTANDING.name,
)
UPSTREAM_LIMIT = Metric(
    "orchestration_upstream_limit",
    "gauge",
    "Requests that a service is given at once, as the pool found out.",
    ("pool", "upstream"),
)
UPSTREAM_BREAKER = Metric(
    "orchestration_upstream_breaker_state",
    "gauge",
    "1 for the state that a service's circuit breaker is in: closed, open or half_open.",
    ("pool", "upstream", "state"),
    combine="max",
)
UPSTREAM_EJECTIONS = Metric(
    "orchestration_upstream_ejections_total",
    "counter",
    "Times that a service was put out of its pool.",
    ("pool", "upstream"),
    while_there=UPSTREAM_OUTSTANDING.name,
)
RETRIES = Metric(
    "orchestration_upstream_retries_total", "counter", "Second and further tries.", ("pool",)
)
RETRIES_REFUSED = Metric(
    "orchestration_upstream_retries_refused_total",
    "counter",
    "Tries that the retry budget did not allow.",
    ("pool",),
)
RETRY_BUDGET = Metric(
    "orchestration_upstream_retry_budget",
    "gauge",
    "Retries that the pool may still make at once.",
    ("pool",),
)
POOL_WAITING = Metric(
    "orchestration_pool_waiting",
    "gauge",
    "Requests that wait for a service of the pool.",
    ("pool",),
)
GATEWAY_REQUESTS = Metric(
    "orchestration_gateway_requests_total",
    "counter",
    "Requests passed on to a service by the gateway: answered (with any status) or failed.",
    ("pool", "result"),
)
GATEWAY_SECONDS = Metric(
    "orchestration_gateway_seconds",
    "histogram",
    "Until a passed on request's answer began, tries included.",
    ("pool",),
    CALL_BUCKETS_S,
)

# Who speaks, where the service itself tells voices apart

DIARIZATIONS = Metric(
    "orchestration_diarizations_total",
    "counter",
    "Chunks of several people's streams by what the diarizer made of them: labelled, late, failed, "
    "or left_out while it rests after failures.",
    ("result",),
)
DIARIZATION_SECONDS = Metric(
    "orchestration_diarization_seconds",
    "histogram",
    "Until the diarizer answered for a chunk, or was given up.",
    (),
    CALL_BUCKETS_S,
)

# Connections

CONNECTIONS = Metric(
    "orchestration_websocket_connections",
    "gauge",
    "Open WebSockets by kind: ingest, live, socket_io, other.",
    ("kind",),
)
CONNECTIONS_OPENED = Metric(
    "orchestration_websocket_opened_total", "counter", "WebSockets that were let in."
)
CONNECTIONS_REFUSED = Metric(
    "orchestration_websocket_refused_total", "counter", "WebSockets beyond a limit."
)
REQUESTS_REFUSED = Metric(
    "orchestration_requests_refused_total",
    "counter",
    "Requests beyond what their client may make in a second.",
)
MESSAGES = Metric(
    "orchestration_websocket_messages_total",
    "counter",
    "WebSocket messages, received or sent.",
    ("direction",),
)
MESSAGE_BYTES = Metric(
    "orchestration_websocket_message_bytes_total",
    "counter",
    "What they held.",
    ("direction",),
)

# Database, parts, machine

DATABASE_CONNECTIONS = Metric(
    "orchestration_database_connections",
    "gauge",
    "Connections to PostgreSQL by the processes that hold them, busy or idle.",
    ("process", "state"),
)
DATABASE_CONNECTIONS_MAX = Metric(
    "orchestration_database_connections_max",
    "gauge",
    "How many these processes may hold.",
    ("process",),
)
PART_HEALTHY = Metric(
    "orchestration_part_healthy",
    "gauge",
    "1 for a part of the service that answers its probes, 0 for one that does not.",
    ("part",),
)
PART_PROBE_SECONDS = Metric(
    "orchestration_part_probe_seconds",
    "gauge",
    "How long a part took for its last good probe.",
    ("part",),
)
ALERTS = Metric(
    "orchestration_alerts", "gauge", "Alerts of the health monitor that hold.", ("level",)
)
MACHINE_USED_RATIO = Metric(
    "orchestration_machine_used_ratio",
    "gauge",
    "Of the health monitor's machine, from 0 to 1: memory, cpu, disk.",
    ("resource",),
)
EVENT_LOOP_LAG_SECONDS = Metric(
    "orchestration_event_loop_lag_seconds",
    "gauge",
    "How late the health monitor's event loop came back to it at most since its last look.",
)

CATALOGUE: dict[str, Metric] = {
    metric.name: metric for metric in list(globals().values()) if isinstance(metric, Metric)
}
"""All of them by name."""
