"""Keys, and what browsers get in their place."""

from orchestration.api.reference.operation import Operation, Operations

OPERATIONS: Operations = {
    "POST /api/tickets": Operation(
        "A ticket for one WebSocket",
        {"ticket": "uO2Hn3s0a9g4o2d0kM7m1q8Qv5l1eYvUq3bD9cX6z2E", "expires_in": 60},
    ),
    "POST /api/sign-in": Operation("A browser's cookie for the key"),
}
