"""HTTP: every figure of the service, for Prometheus."""

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse, Response

from orchestration.api.ports import Measures
from orchestration.metrics.exposition import CONTENT_TYPE, exposition


def prometheus_router(measures: Measures) -> APIRouter:
    """`/metrics`."""
    router = APIRouter(tags=["health"])

    @router.get("/metrics", response_class=PlainTextResponse)
    async def metrics() -> Response:
        """All nodes' figures in Prometheus' text format. Wants the key, as Bearer."""
        figures = await measures.figures()
        return Response(exposition(figures), headers={"Content-Type": CONTENT_TYPE})

    return router
