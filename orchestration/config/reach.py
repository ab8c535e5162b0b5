"""How far a change of each setting reaches while the service runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

Reach: TypeAlias = Literal["now", "next", "restart"]
"""`now`: what runs goes on with it. `next`: what begins later, sessions or connections, has it.
`restart`: only a service that starts anew."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How far, and why no further."""

    reach: Reach
    why: str


NOW = Rule("now", "taken up by what runs")
CONNECTION = Rule("next", "told to each connection when it opens, and kept")
SESSION = Rule("next", "a session keeps what its actor began with")
PROCESS = Rule("restart", "read when the process that needs it starts")

RULES: Mapping[str, Rule] = {
    "data_dir": Rule("restart", "everything that is stored lies in it"),
    "log_level": NOW,
    "server": PROCESS,
    "server.host": Rule("restart", "the address is bound when the service starts"),
    "server.port": Rule("restart", "the address is bound when the service starts"),
    "server.api_key_sha256": Rule("restart", "a key is a secret, and is not changed with itself"),
    "server.ingress_replicas": Rule("restart", "replicas are deployed when the service starts"),
    "server.websocket_max_connections": NOW,
    "server.websocket_max_per_address": NOW,
    "server.max_requests_per_s": NOW,
    "server.request_burst": NOW,
    "server.websocket_idle_timeout_s": CONNECTION,
    "server.socket_io_ping_interval_s": Rule("restart", "Socket.IO tells it as it starts"),
    "ingest": CONNECTION,
    "ingest.window_frames": NOW,
    "ingest.max_streams": SESSION,
    "ingest.max_participants": SESSION,
    "live": CONNECTION,
    "live.viewer_queue_events": PROCESS,
    "sessions": NOW,
    "sessions.record": PROCESS,
    "sessions.recording_file_s": SESSION,
    "services": PROCESS,
    "services.whisper": NOW,
    "services.translation": NOW,
    "services.health_check_interval_s": NOW,
    "services.auto_recovery": NOW,
    "services.timeout_s": NOW,
    "services.tries": NOW,
    "services.balancing": NOW,
    "services.gateway_timeout_s": NOW,
    "services.stalled_after_s": NOW,
    "services.diarizer": Rule("restart", "its engine is deployed when the service starts"),
    "services.embedded_whisper": Rule("restart", "its model is loaded when its replica starts"),
    "audio": Rule("next", "an upload keeps what it began with"),
    "audio.preset": NOW,
    "google_meet": PROCESS,
    "retention": NOW,
    "alerts": Rule("restart", "webhooks have secrets, which are not stored with changes"),
    "database": Rule("restart", "connections are opened when each process starts"),
}
"""By place; the nearest one above a setting holds for it."""


def rule_for(place: str) -> Rule:
    """The rule of a setting by its dotted place; of one that there is not, it is a restart."""
    while place:
        if place in RULES:
            return RULES[place]
        place = place.rpartition(".")[0]
    return PROCESS
