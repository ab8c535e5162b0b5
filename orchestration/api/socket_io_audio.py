"""What a client of Socket.IO brings into sessions: audio, and who speaks when.

It goes the way of `POST /api/audio/chunk`, and is answered once it is durable.
"""

import time
from dataclasses import dataclass

from orchestration.api.audio_chunks import ChunkSenders
from orchestration.api.audio_forms import AUDIO_FIELDS, ChunkForm, chunk_audio, chunk_of
from orchestration.api.session_ids import check_session_id
from orchestration.config.current import CurrentSettings
from orchestration.errors import BadRequest
from orchestration.json_types import JsonObject
from orchestration.session.fact_codec import parse_fact
from orchestration.session.inputs import SpeakerFact

_NUMBERS = ("sequence", "chunk_sequence")


@dataclass(frozen=True, slots=True)
class SocketIoSender:
    """Stores what comes in the session that it names, or else in the one that was joined."""

    current: CurrentSettings
    senders: ChunkSenders

    async def audio(self, body: JsonObject, joined: str | None) -> JsonObject:
        """One chunk of `transcription_stream`; without a number it follows what is stored.

        Raises:
            OrchestrationError: as of `POST /api/audio/chunk`.
        """
        return await self._store(*chunk_of(_fields(body, joined)), _is_numbered(body))

    async def speaker(self, body: JsonObject, joined: str | None) -> JsonObject:
        """One `speaker_stream`: that somebody starts or stops, or a chunk of one voice alone.

        Raises:
            OrchestrationError: as of `audio`, or the fact is malformed or skips a number.
        """
        if any(name in body for name in AUDIO_FIELDS):
            form, audio = chunk_of(_fields(body, joined))
            if form.participant is None:
                raise BadRequest(
                    "Say by participant {id, name} whose voice this is, or send it as "
                    "transcription_stream.",
                    {"field": "participant"},
                )
            return await self._store(form, audio, _is_numbered(body))
        session_id = _session_id(body, joined)
        fact = parse_fact(
            {"fact": 0, **body, "type": "speaker"}, self.current.now.ingest.max_name_characters
        )
        assert isinstance(fact, SpeakerFact)
        sender = await self.senders.of(session_id)
        stored = await sender.tell(fact, numbered="fact" in body)
        return {
            "session_id": session_id,
            "status": _status(stored.repeated),
            "fact": stored.fact,
            "next_fact": stored.next_fact,
        }

    async def _store(self, form: ChunkForm, audio: bytes, numbered: bool) -> JsonObject:
        read_ns = time.monotonic_ns()
        spec, pcm = await chunk_audio(form, audio, self.current.now.audio.max_chunk_bytes)
        sender = await self.senders.of(form.session_id)
        number = form.sequence if numbered else None
        stored = await sender.store(spec, number, form.first_sample, pcm, read_ns)
        return {
            "session_id": form.session_id,
            "status": _status(stored.repeated),
            "stream": form.stream,
            "sequence": stored.sequence,
            "first_sample": stored.first_sample,
            "next_sequence": stored.next_sequence,
            "next_sample": stored.next_sample,
        }


def _fields(body: JsonObject, joined: str | None) -> dict[str, object]:
    fields: dict[str, object] = {**body, "session_id": _session_id(body, joined)}
    return fields if _is_numbered(body) else {**fields, "sequence": 0}


def _is_numbered(body: JsonObject) -> bool:
    return any(name in body for name in _NUMBERS)


def _session_id(body: JsonObject, joined: str | None) -> str:
    session_id = body.get("session_id", joined)
    if not isinstance(session_id, str):
        raise BadRequest(
            "Name a session by session_id, or join one first.", {"field": "session_id"}
        )
    return check_session_id(session_id)


def _status(repeated: bool) -> str:
    return "repeated" if repeated else "stored"
