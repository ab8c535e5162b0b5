"""What a client of Socket.IO may ask of the service's parts."""

from orchestration.api.health import HealthCache, health_json, services_json
from orchestration.errors import BadRequest, UnknownService
from orchestration.json_types import JsonObject
from orchestration.process_clock import unix_time_ms

ACTIONS = ("get_health", "get_status", "get_services", "get_models")


async def status_of(service: str, health: HealthCache) -> str:
    """How one part is.

    Raises:
        UnknownService: the monitor watches no such part.
    """
    report = await health.report()
    found = [one.status for one in report.services if one.name == service]
    if found:
        return found[0]
    raise UnknownService(
        f"No service {service} is watched.",
        {"services": [one.name for one in report.services]},
    )


async def answer_of(service: str, action: str, health: HealthCache) -> JsonObject:
    """The data of a `service_response`.

    Raises:
        BadRequest: no such action.
        UnknownService: asked for the status of a part that nobody watches.
    """
    report = await health.report()
    now_unix_ms = unix_time_ms()
    if action == "get_health":
        return health_json(report, now_unix_ms)
    if action == "get_status":
        return {"service": service, "status": await status_of(service, health)}
    if action == "get_services":
        return services_json(report, now_unix_ms)
    if action == "get_models":
        return {
            "models": [
                {"name": one.name, "kind": one.kind, "healthy": one.healthy}
                for one in report.engines
            ]
        }
    raise BadRequest("This action is not known.", {"actions": list(ACTIONS)})
