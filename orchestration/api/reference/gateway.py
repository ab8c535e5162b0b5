"""What is passed to the services behind."""

from orchestration.api.reference.operation import Operation, Operations
from orchestration.errors import (
    BadRequest,
    EngineError,
    EngineTimeout,
    TooLarge,
    UnknownService,
    UpstreamsDown,
)
from orchestration.json_types import JsonValue

_PROBLEMS = (BadRequest, UnknownService, EngineError, EngineTimeout, UpstreamsDown)
_LANGUAGES: list[JsonValue] = [{"code": "en", "name": "English"}]

OPERATIONS: Operations = {
    f"{method} /api/{service}/{{path}}": Operation(
        f"{method} at a {service} service",
        problems=_PROBLEMS if method in ("GET", "DELETE") else (*_PROBLEMS, TooLarge),
        answers={("200", "*/*"): _LANGUAGES, ("default", "*/*"): {"detail": "its own error"}},
    )
    for service in ("whisper", "translation")
    for method in ("GET", "POST", "PUT", "DELETE")
}
