"""A session in figures: how far behind it is, what waits, how loud and good its streams are."""

from collections.abc import Mapping

from orchestration.json_types import JsonObject
from orchestration.services.ports import AudioQuality
from orchestration.session.outbox import Outbox
from orchestration.session.stream_pipeline import StreamPipeline
from orchestration.session.translation_desk import TranslationDesk


class SessionFigures:
    """Read when they are asked for; nothing of them is kept."""

    def __init__(
        self,
        pipelines: Mapping[int, StreamPipeline],
        qualities: Mapping[int, AudioQuality],
        desk: TranslationDesk,
    ) -> None:
        """`pipelines` and the `qualities` of their last answered chunks are by stream."""
        self._pipelines = pipelines
        self._qualities = qualities
        self._desk = desk

    @property
    def lag_ms(self) -> int:
        """How far the transcript is behind the audio, over all streams."""
        return max((one.lag_ms for one in self._pipelines.values()), default=0)

    @property
    def queues(self) -> Mapping[str, int]:
        """What waits for an engine, calls under way included."""
        return {
            "chunks_waiting": sum(one.chunks_waiting for one in self._pipelines.values()),
            "translations_waiting": self._desk.waiting,
        }

    @property
    def oddities(self) -> Mapping[str, int]:
        """What was left out or mended in this incarnation, over all streams: words not believed,
        samples that were not finite or beyond full scale."""
        pipelines = self._pipelines.values()
        return {
            "dropped_words": sum(one.dropped_hallucinations for one in pipelines),
            "non_finite_samples": sum(one.non_finite_samples for one in pipelines),
            "clipped_samples": sum(one.clipped_samples for one in pipelines),
        }

    def coverage_json(self) -> JsonObject:
        """The fate of every sample, stream by stream."""
        return {
            "streams": [
                pipeline.coverage.to_json(stream)
                for stream, pipeline in sorted(self._pipelines.items())
            ]
        }

    def tell(self, outbox: Outbox) -> None:
        """Say in passing how the streams are."""
        if not self._pipelines:
            return
        outbox.tell_in_passing("coverage", "coverage", self.coverage_json())
        levels: JsonObject = {
            "streams": [
                {
                    "id": stream,
                    "rms_dbfs": pipeline.level_dbfs(),
                    **_quality_json(self._qualities.get(stream)),
                }
                for stream, pipeline in sorted(self._pipelines.items())
            ]
        }
        outbox.tell_in_passing("level", "level", levels)
        outbox.tell_in_passing("lag", "lag", {"seconds": round(self.lag_ms / 1000, 1)})


def _quality_json(quality: AudioQuality | None) -> JsonObject:
    if quality is None:
        return {}
    return {
        "quality": quality.score,
        "snr_db": quality.snr_db,
        "speech_ratio": quality.speech_ratio,
        "clipped_ratio": quality.clipped_ratio,
    }
