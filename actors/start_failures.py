"""Why deployments did not start, from what Serve keeps of their replicas' failures."""

import re
from collections.abc import Mapping

MAX_REASON_CHARACTERS = 1000
"""A longer reason is cut."""

# The last line of a traceback that names the error; further lines are of its message.
_ERROR = re.compile(r"^(?P<module>(?:\w+\.)*)(?P<name>[A-Za-z_]\w*): (?=\S)", re.MULTILINE)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def reason_of(message: str) -> str:
    """The error at the end of a replica's traceback, or nothing where there is none.

    The service's own errors are sentences; others are told with their name.
    """
    plain = _COLOUR.sub("", message).strip()
    found = [*_ERROR.finditer(plain)]
    if not found:
        return ""
    last = found[-1]
    is_own = last["module"].startswith("orchestration.")
    text = plain[last.end() if is_own else last.start("name") :]
    return text.strip()[:MAX_REASON_CHARACTERS]


def start_failure(error: Exception, messages: Mapping[str, str]) -> str:
    """The sentence for a start that Serve gave up.

    Args:
        error: Serve's own, which names deployments and says no more.
        messages: what Serve keeps of each deployment that is not well.
    """
    reasons = {name: reason for name, kept in messages.items() if (reason := reason_of(kept))}
    if not reasons:
        return f"The deployments did not start: {error}"
    told = "\n".join(f"{name}: {reason}" for name, reason in reasons.items())
    return f"The deployments did not start. {told}"
