"""Services that meetings go on without: how each of them is."""

from dataclasses import dataclass
from typing import Literal

IntegrationStatus = Literal["not_configured", "disabled", "active", "failing"]


@dataclass(frozen=True, slots=True)
class Integration:
    """One of them; `detail` says why it is not active."""

    name: str
    status: IntegrationStatus
    detail: str = ""
