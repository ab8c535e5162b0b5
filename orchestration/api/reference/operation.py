"""What the document says of an operation beyond its types."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestration.errors import BadRequest, OrchestrationError, UnknownSession
from orchestration.json_types import JsonObject, JsonValue

Problems = tuple[type[OrchestrationError], ...]

OF_A_SESSION: Problems = (UnknownSession,)
OF_A_LIST: Problems = (UnknownSession, BadRequest)


@dataclass(frozen=True, slots=True)
class Operation:
    """One entry, by `METHOD /path`.

    Attributes:
        summary: a few words.
        answer: an example of the answer's JSON.
        body: an example of the request's JSON.
        problems: errors that the route itself may answer with, beside those of every route.
        answers: examples of other answers, by status and media type.
    """

    summary: str
    answer: JsonValue = None
    body: JsonObject | None = None
    problems: Problems = ()
    answers: Mapping[tuple[str, str], JsonValue] = field(default_factory=dict)


Operations = Mapping[str, Operation]
