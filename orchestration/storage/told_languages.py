"""Whether a session's viewers know of the languages that it has now."""

from orchestration.json_types import JsonObject
from orchestration.storage.values import SessionSpec


def may_be_untold(spec: SessionSpec, told: JsonObject | None, created_hash: bytes) -> bool:
    """Whether viewers may not have been told of the languages that are stored.

    `told` is the last event that told them, None where there was none: then they know those that
    the session was created with, whose description had the hash `created_hash`.
    """
    if told is None:
        return spec.description_hash != created_hash
    known = told.get("language"), told.get("target_languages")
    return known != (spec.language, [*spec.target_languages])
