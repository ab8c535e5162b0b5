"""What the audio routes say, under the names that clients know."""

from collections import Counter
from collections.abc import Sequence

from pydantic import BaseModel, JsonValue

from orchestration.api.transcripts import SegmentView
from orchestration.api.upload_job import UploadJob
from orchestration.errors import OrchestrationError
from orchestration.json_types import JsonObject
from orchestration.storage.archive_ports import StoredSegment
from orchestration.storage.values import SessionRow, StreamRow
from orchestration.transcript.exports import transcript_json


class AudioMetadata(BaseModel):
    """What a file is, and how much audio came of it."""

    container: str | None
    codec: str | None
    sample_rate: int | None
    channels: int | None
    duration: float
    damaged_packets: int


class ProcessingResult(BaseModel):
    """What was heard in a file. `speakers` are those named in `segments`."""

    session_id: str
    stream: int
    status: str
    text: str
    language: str | None
    segments: list[SegmentView]
    speakers: list[dict[str, JsonValue]]
    pending_seconds: float
    lost_seconds: float


class UploadTranslation(BaseModel):
    """The whole text in another language. Engines say neither a confidence nor a time."""

    translated_text: str
    source_language: str | None
    target_language: str
    confidence: float | None
    processing_time: float | None
    model_used: str | None


class UploadResult(BaseModel):
    """A transcribed file."""

    request_id: str
    session_id: str
    filename: str | None
    file_size: int | None
    audio_metadata: AudioMetadata
    processing_result: ProcessingResult | None
    translations: dict[str, UploadTranslation]
    translation_error: str | None = None


class JobProblem(BaseModel):
    """Why a file was not heard."""

    status: int
    code: str
    detail: str


class UploadJobView(BaseModel):
    """A file under way; ask again at `status_url`."""

    job_id: str
    request_id: str
    session_id: str
    status: str
    stage: str
    progress: float
    decoded_seconds: float
    transcribed_seconds: float
    status_url: str
    live_url: str
    error: JobProblem | None = None
    """Of a failed one."""
    result: UploadResult | None = None


def job_view(job: UploadJob) -> UploadJobView:
    """A job of this process. Progress is 0 to 1: half for decoding, half for hearing."""
    declared_ms = job.source.declared_ms if job.source else None
    whole_ms = max(job.decoded_ms, declared_ms or 0) if job.stage == "decoding" else job.decoded_ms
    progress = (job.decoded_ms + job.heard_ms) / (2 * whole_ms) if whole_ms else 0.0
    return UploadJobView(
        job_id=job.job_id,
        request_id=job.job_id,
        session_id=job.order.session_id,
        status="processing" if job.error is None else "failed",
        stage=job.stage,
        progress=round(min(1.0, progress), 3),
        decoded_seconds=job.decoded_ms / 1000,
        transcribed_seconds=job.heard_ms / 1000,
        status_url=f"/api/audio/jobs/{job.job_id}",
        live_url=f"/ws/live/{job.order.session_id}",
        error=None if job.error is None else job_problem(job.error),
    )


def job_problem(error: OrchestrationError) -> JobProblem:
    return JobProblem(status=error.http_status, code=error.code, detail=error.message)


def upload_result(
    job_id: str,
    row: SessionRow,
    stream: StreamRow,
    coverage: JsonObject,
    stored: Sequence[StoredSegment],
    job: UploadJob | None,
    with_speakers: bool,
) -> UploadResult:
    """What is stored of a file, and what is still known of the file itself."""
    mine = [one for one in stored if one.segment.stream == stream.spec.stream]
    language = row.spec.language or _most_heard(mine)
    translations = {
        target: _translation(target, language, mine)
        for target in row.spec.target_languages
        if target != language
    }
    failed = sorted(target for target, one in translations.items() if one is None)
    return UploadResult(
        request_id=job_id,
        session_id=row.spec.session_id,
        filename=job.order.filename if job else row.spec.title,
        file_size=job.order.file_size if job else None,
        audio_metadata=_metadata(stream, job),
        processing_result=_heard(row, stream, coverage, mine, language, with_speakers),
        translations={target: one for target, one in translations.items() if one is not None},
        translation_error=f"Not translated, or not whole: {', '.join(failed)}." if failed else None,
    )


def _metadata(stream: StreamRow, job: UploadJob | None) -> AudioMetadata:
    source = job.source if job else None
    return AudioMetadata(
        container=source.container if source else None,
        codec=source.codec if source else None,
        sample_rate=source.sample_rate if source else None,
        channels=source.channels if source else None,
        duration=round(stream.next_sample / stream.spec.format.sample_rate, 3),
        damaged_packets=job.damaged_packets if job else 0,
    )


def _heard(
    row: SessionRow,
    stream: StreamRow,
    coverage: JsonObject,
    stored: Sequence[StoredSegment],
    language: str | None,
    with_speakers: bool,
) -> ProcessingResult:
    whole = transcript_json(row, stored, [])
    segments = [SegmentView.model_validate(one) for one in _objects(whole["segments"])]
    if not with_speakers:
        segments = [one.model_copy(update={"speaker": None}) for one in segments]
    names = {one.speaker.id: one.speaker.name for one in segments if one.speaker is not None}
    return ProcessingResult(
        session_id=row.spec.session_id,
        stream=stream.spec.stream,
        status=row.status,
        text=" ".join(one.text for one in segments if one.text),
        language=language,
        segments=segments,
        speakers=[{"id": speaker_id, "name": name} for speaker_id, name in names.items()],
        pending_seconds=_seconds(coverage, "pending"),
        lost_seconds=_seconds(coverage, "lost"),
    )


def _most_heard(stored: Sequence[StoredSegment]) -> str | None:
    """The language of the most lines; of several, the one that was heard first."""
    lines = Counter(one.segment.language for one in stored if one.segment.language)
    return next((language for language, _ in lines.most_common(1)), None)


def _translation(
    target: str, language: str | None, stored: Sequence[StoredSegment]
) -> UploadTranslation | None:
    """All lines in a language; None when one of them has no translation."""
    texts = []
    for one in stored:
        if one.segment.language == target:
            texts.append(one.segment.text)
            continue
        found = [t for t in one.translations if t.language == target and t.state == "final"]
        if not found:
            return None
        texts.append(found[0].text)
    return UploadTranslation(
        translated_text=" ".join(texts),
        source_language=language,
        target_language=target,
        confidence=None,
        processing_time=None,
        model_used=None,
    )


def _seconds(coverage: JsonObject, fate: str) -> float:
    samples, rate = coverage[fate], coverage["sample_rate"]
    assert isinstance(samples, int)
    assert isinstance(rate, int)
    return round(samples / rate, 3)


def _objects(value: JsonValue) -> list[JsonValue]:
    assert isinstance(value, list)
    return value
