"""The service's clock: the wall clock at one moment, from there on one that never steps."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServiceClock:
    """Turns readings of a monotonic clock into Unix time.

    The wall clock is read once: when an operator or NTP sets it later, arrivals do not step.
    """

    ahead_ns: int
    """Unix time less the monotonic clock, when it was anchored."""

    @classmethod
    def anchored(cls, unix_ns: int, monotonic_ns: int) -> "ServiceClock":
        """By both clocks, read at the same moment."""
        return cls(unix_ns - monotonic_ns)

    def unix_ns(self, monotonic_ns: int) -> int:
        """The Unix time of a reading of the monotonic clock, in nanoseconds."""
        return monotonic_ns + self.ahead_ns
