"""What translation services answer."""

from orchestration.errors import EngineError
from orchestration.json_types import JsonValue
from orchestration.services.plain_text import plain_text


def translated_text(answer: JsonValue, field: str, name: str) -> str:
    """The translation of a text that is not blank, fit to be stored, from an answer of JSON.

    Raises:
        EngineError: the engine called `name` gave none. A blank one is none: stored as the line's
            translation it would be shown, and never asked for again.
    """
    text = answer.get(field) if isinstance(answer, dict) else None
    shown = plain_text(text).strip() if isinstance(text, str) else ""
    if not shown:
        raise EngineError(
            f"{name} did not answer with a translation.",
            {"url": f"{name}/translate", "excerpt": str(answer)[:200]},
        )
    return shown
