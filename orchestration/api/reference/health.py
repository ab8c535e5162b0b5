"""Health, alerts, figures, and who is connected."""

from orchestration.api.reference.operation import Operation, Operations
from orchestration.errors import BadRequest
from orchestration.health.recovery import ACTIONS, RecoveryReport, recovery_counts
from orchestration.json_types import JsonObject

_NOW = "2026-09-21T14:20:00.000Z"
_SUMMARY: JsonObject = {
    "total_services": 1,
    "healthy_services": 1,
    "degraded_services": 0,
    "unhealthy_services": 0,
    "recovering_services": 0,
    "overall_uptime": 100.0,
    "overall_status": "healthy",
    "open_sessions": 3,
    "warm_actors": 1,
}
ALERT: JsonObject = {
    "id": 7,
    "code": "part_unhealthy",
    "level": "critical",
    "subject": "database",
    "message": "database is unhealthy.",
    "value": 1,
    "occurrence": 1,
    "raised_at": "2026-09-21T14:19:30.000Z",
    "cleared_at": None,
}
SERVICES: JsonObject = {
    "services": {
        "database": {
            "name": "database",
            "url": None,
            "pool": None,
            "kind": None,
            "status": "healthy",
            "detail": "",
            "last_check": _NOW,
            "last_success": _NOW,
            "last_failure": None,
            "consecutive_failures": 0,
            "consecutive_successes": 42,
            "total_checks": 42,
            "successful_checks": 42,
            "uptime_percentage": 100.0,
            "response_time": 1,
            "average_response_time": 1,
            "response_time_trend": "stable",
            "recent_errors": [],
        }
    },
    "engines": [
        {
            "name": "faster-whisper:base",
            "pool": "transcription",
            "kind": "embedded",
            "healthy": True,
            "latency_ms": 310,
            "detail": "",
        }
    ],
    "integrations": [{"name": "google_meet", "status": "not_configured", "detail": ""}],
    "summary": _SUMMARY,
    "timestamp": _NOW,
}
SYSTEM: JsonObject = {"memory_percent": 41, "cpu_percent": 31, "disk_percent": 62}
QUEUES: JsonObject = {
    "chunks_waiting": 1,
    "translations_waiting": 0,
    "database_waiters": 0,
    "calls_under_way": 2,
    "calls_lost": 0,
}
OWN_QUEUES: JsonObject = {
    "ingest_items_waiting": 0,
    "ingest_bytes_waiting": 0,
    "ingress_database_waiters": 0,
}
ALERTING: JsonObject = {
    "alert_changes_waiting": 0,
    "alert_posts_waiting": 0,
    "alert_posts_delivered": 2,
    "alert_posts_failed": 0,
    "alert_posts_given_up": 0,
    "alert_posts_dropped": 0,
}
_NOTHING_DONE = dict.fromkeys(ACTIONS, 0)
_RECOVERY: JsonObject = {**recovery_counts(RecoveryReport(_NOTHING_DONE, _NOTHING_DONE, (), ()))}
_CONNECTIONS: JsonObject = {
    "active_connections": 2,
    "peak_connections": 3,
    "peak_at": "2026-09-21T14:15:00.000Z",
    "max_connections": 10000,
    "max_connections_per_address": 1000,
    "idle_timeout_seconds": 1800,
    "connections_by_kind": {"ingest": 1, "live": 1},
    "addresses": 1,
    "sessions": 1,
    "total_connections": 5,
    "refused_connections": 0,
    "messages_in": 1204,
    "messages_out": 612,
    "bytes_in": 3862400,
    "bytes_out": 91210,
    "messages_in_per_second": 10.0,
    "messages_out_per_second": 5.1,
    "replicas": 1,
    "replicas_answering": 1,
    "timestamp": _NOW,
}
_HEALTH: JsonObject = {
    "status": "healthy",
    "version": "0.1.0",
    "services": {"database": "healthy"},
    "uptime": 812.4,
    "healthy_services": 1,
    "total_services": 1,
    "timestamp": _NOW,
}

OPERATIONS: Operations = {
    "GET /api/health": Operation(
        "How the service is",
        _HEALTH,
        answers={
            ("503", "application/json"): {
                **_HEALTH,
                "status": "unhealthy",
                "services": {"database": "unhealthy"},
                "healthy_services": 0,
            }
        },
    ),
    "GET /api/services": Operation("The health of every part", SERVICES),
    "GET /api/alerts": Operation(
        "Alerts", {"items": [ALERT], "next_before": None, "timestamp": _NOW}
    ),
    "GET /api/alerts/stream": Operation(
        "Alerts as they come",
        problems=(BadRequest,),
        answers={
            ("200", "text/event-stream"): 'id: 12\nevent: raised\ndata: {"id": 7, "code": …}\n\n'
        },
    ),
    "GET /api/dashboard": Operation(
        "All that an operator looks at",
        {
            **SERVICES,
            "system": SYSTEM,
            "queues": QUEUES,
            "recovery": _RECOVERY,
            "alerting": ALERTING,
            "alerts": [ALERT],
        },
    ),
    "GET /api/metrics": Operation(
        "Figures as JSON",
        {
            "uptime_seconds": 812.4,
            "health_stats": _SUMMARY,
            "websocket_stats": _CONNECTIONS,
            "system": SYSTEM,
            "queues": {**QUEUES, **OWN_QUEUES},
            "recovery": _RECOVERY,
            "alerting": ALERTING,
            "active_alerts": {"critical": 1},
            "timestamp": _NOW,
        },
    ),
    "GET /metrics": Operation(
        "Figures for Prometheus",
        answers={
            ("200", "text/plain"): "# TYPE orchestration_sessions_open gauge\n"
            'orchestration_sessions_open{node="a"} 3\n'
        },
    ),
    "GET /api/websocket/connections": Operation(
        "Open WebSockets",
        {
            "connections": [
                {
                    "connection_id": "0f6a1e0c5f5b4b4f9a51e1d2c3b4a596",
                    "kind": "ingest",
                    "address": "127.0.0.1",
                    "user_agent": "bot/1.0",
                    "session_id": "weekly",
                    "connected_at": "2026-09-21T14:13:21.000Z",
                    "connected_seconds": 399.0,
                    "messages_in": 3990,
                    "messages_out": 1601,
                    "bytes_in": 12847800,
                    "bytes_out": 102464,
                    "messages_in_per_second": 10.0,
                    "messages_out_per_second": 4.0,
                }
            ],
            "total": 1,
            "timestamp": _NOW,
        },
    ),
    "GET /api/websocket/stats": Operation("WebSockets in sum", _CONNECTIONS),
}
