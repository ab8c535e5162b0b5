"""One request's way through the engines of a pool, and what it comes to when none answers."""

from dataclasses import dataclass, field

from orchestration.errors import EngineError, EngineTimeout, UnsupportedLanguagePair
from orchestration.json_types import JsonValue


@dataclass(slots=True)
class Attempts:
    """Engines that were tried, and how they failed. `timeout_s` is for all tries together."""

    session: str
    cost: int
    tries_left: int
    timeout_s: float
    tried: set[str] = field(default_factory=set)
    failures: list[tuple[str, EngineError]] = field(default_factory=list)
    unsupported: UnsupportedLanguagePair | None = None

    def failure(self, untried: int) -> Exception:
        """What is raised, with so many engines left that were not asked."""
        if self.unsupported and not self.failures and not untried:
            return self.unsupported
        if not self.failures:
            message = f"No engine answered within {self.timeout_s:g} s."
            return EngineTimeout(message, {"timeout_s": self.timeout_s})
        if len(self.failures) == 1:
            return self.failures[0][1]
        errors: dict[str, JsonValue] = {name: str(one) for name, one in self.failures}
        timed_out = all(isinstance(one, EngineTimeout) for _, one in self.failures)
        kind = EngineTimeout if timed_out else EngineError
        message = f"{len(errors)} engines failed, the last: {self.failures[-1][1]}"
        return kind(message, {"errors": errors, "timeout_s": self.timeout_s})
