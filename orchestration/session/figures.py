"""A session's streams in figures: how far behind, how loud, how good, and what was lost."""

from collections.abc import Mapping

from orchestration.errors import JsonObject
from orchestration.services.ports import AudioQuality
from orchestration.session.outbox import Outbox
from orchestration.session.stream_pipeline import StreamPipeline

Pipelines = Mapping[int, StreamPipeline]
"""A session's streams by number."""


def lag_ms(pipelines: Pipelines) -> int:
    """How far the transcript is behind the audio, over all streams."""
    return max((one.lag_ms for one in pipelines.values()), default=0)


def oddities(pipelines: Pipelines) -> Mapping[str, int]:
    """What was left out or mended in this incarnation, over all streams: words not believed,
    samples that were not finite or beyond full scale."""
    return {
        "dropped_words": sum(one.dropped_hallucinations for one in pipelines.values()),
        "non_finite_samples": sum(one.non_finite_samples for one in pipelines.values()),
        "clipped_samples": sum(one.clipped_samples for one in pipelines.values()),
    }


def coverage_json(pipelines: Pipelines) -> JsonObject:
    """The fate of every sample, stream by stream."""
    return {
        "streams": [
            pipeline.coverage.to_json(stream) for stream, pipeline in sorted(pipelines.items())
        ]
    }


def tell_figures(
    outbox: Outbox, pipelines: Pipelines, qualities: Mapping[int, AudioQuality]
) -> None:
    """Say in passing how the streams are; `qualities` are of their last answered chunks."""
    if not pipelines:
        return
    outbox.tell_in_passing("coverage", "coverage", coverage_json(pipelines))
    levels: JsonObject = {
        "streams": [
            {
                "id": stream,
                "rms_dbfs": pipeline.level_dbfs(),
                **_quality_json(qualities.get(stream)),
            }
            for stream, pipeline in sorted(pipelines.items())
        ]
    }
    outbox.tell_in_passing("level", "level", levels)
    outbox.tell_in_passing("lag", "lag", {"seconds": round(lag_ms(pipelines) / 1000, 1)})


def _quality_json(quality: AudioQuality | None) -> JsonObject:
    if quality is None:
        return {}
    return {
        "quality": quality.score,
        "snr_db": quality.snr_db,
        "speech_ratio": quality.speech_ratio,
        "clipped_ratio": quality.clipped_ratio,
    }
