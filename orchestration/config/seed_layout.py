"""Configuration files of the service's first form, whose sections were named otherwise."""

from collections.abc import Mapping
from typing import Any

from orchestration.config.merging import merged, nested

PLACES: Mapping[str, str | None] = {
    "orchestration.service_name": None,
    "orchestration.version": None,
    "frontend.host": "server.host",
    "frontend.port": "server.port",
    "frontend.workers": "server.ingress_replicas",
    "websocket.max_connections": "server.websocket_max_connections",
    "websocket.connection_timeout": "server.websocket_idle_timeout_s",
    "websocket.heartbeat_interval": "server.socket_io_ping_interval_s",
    "gateway.timeout": "services.gateway_timeout_s",
    "gateway.retries": "services.tries",
    "gateway.circuit_breaker_threshold": "services.balancing.eject_after",
    "monitoring.health_check_interval": "services.health_check_interval_s",
    "monitoring.auto_recovery": "services.auto_recovery",
}
"""Where each value is now. None: it may stand in the file, and the service decides by itself."""

SECTIONS = ("orchestration", "frontend", "websocket", "gateway", "monitoring")
"""Sections that are no longer there; what is left in them is refused by the models, by name."""

KINDS = {"whisper": "openai", "translation": "libretranslate"}
"""What a service given as a mapping with its `url` is taken to speak."""


def from_seed_layout(values: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The file's values at today's places, and the places of those that have no effect.

    Values that stand at today's places in the same file win.
    """
    rest = merged(values)
    moved: dict[str, Any] = {}
    without_effect = []
    for place, now in PLACES.items():
        found, value = _take(rest, place)
        if found and now is None:
            without_effect.append(place)
        elif found:
            moved[str(now)] = value
    for service, kind in KINDS.items():
        asked, endpoint = _take(rest, f"services.{service}.health_endpoint")
        found, url = _take(rest, f"services.{service}.url")
        if found:
            own = {"health_path": endpoint} if asked else {}
            moved[f"services.{service}"] = [{"url": url, "kind": kind, **own}]
        elif asked:
            without_effect.append(f"services.{service}.health_endpoint")
        if isinstance(rest.get("services"), dict) and rest["services"].get(service) == {}:
            del rest["services"][service]
    for section in SECTIONS:
        if rest.get(section) == {}:
            del rest[section]
    return merged(nested(moved), rest), tuple(without_effect)


def _take(values: dict[str, Any], place: str) -> tuple[bool, Any]:
    """Whether a value is at the place, and the value, which is no longer there then."""
    *parents, name = place.split(".")
    section: Any = values
    for parent in parents:
        section = section.get(parent)
        if not isinstance(section, dict):
            return False, None
    return (True, section.pop(name)) if name in section else (False, None)
