"""A session's transcript as its live messages build it. Pure; segments stay in their wire form."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

PALETTE_SIZE = 8
ENDED = ("completed", "failed")


@dataclass(frozen=True, slots=True)
class Changed:
    """What a message changed of what a reader sees. `language` is a translation's."""

    what: Literal["final", "translation", "speaker", "other"]
    segment_id: str | None = None
    language: str | None = None


class LiveTranscript:
    """Feed `apply` each message of `orchestration.client.live.watch`."""

    def __init__(self) -> None:
        self.session: dict[str, Any] = {}
        self.status = "created"
        self.detail = ""
        self.finals: dict[str, dict[str, Any]] = {}
        """Final segments by id, in the order in which they became final."""
        self.pending: dict[int, dict[str, Any]] = {}
        """Each stream's pending segment."""
        self.coverage: list[dict[str, Any]] = []
        self.lag_s = 0.0
        self.alerts: list[str] = []
        self._colours: dict[str, int] = {}

    @property
    def target_languages(self) -> list[str]:
        return list(self.session.get("target_languages") or [])

    @property
    def speaker_names(self) -> list[str]:
        """Everybody named so far, in order of appearance."""
        names = [speaker_name(segment) for segment in self.finals.values()]
        return list(dict.fromkeys(name for name in names if name))

    def pending_in_order(self) -> list[dict[str, Any]]:
        shown = [segment for segment in self.pending.values() if segment.get("text")]
        return sorted(shown, key=lambda segment: float(segment["start"]))

    def colour(self, segment: Mapping[str, Any]) -> int | None:
        """A palette index that belongs to the segment's speaker; None while nobody is named.

        The id decides, so that a colour survives a restart; who comes second to a taken one
        moves on, so that two speakers share one only when the palette is used up.
        """
        speaker = segment.get("speaker")
        if not speaker:
            return None
        speaker_id = str(speaker["id"])
        if speaker_id not in self._colours:
            index = sum(ord(character) * 31 for character in speaker_id) % PALETTE_SIZE
            taken = set(self._colours.values())
            while index in taken and len(taken) < PALETTE_SIZE:
                index = (index + 1) % PALETTE_SIZE
            self._colours[speaker_id] = index
        return self._colours[speaker_id]

    def apply(self, message: Mapping[str, Any]) -> Changed:
        """Take one live message; unknown ones change nothing."""
        match message.get("type"):
            case "snapshot":
                self._snapshot(message)
            case "segment":
                return self._segment(message["segment"])
            case "retract":
                self._retract(message["segment_id"])
            case "translation":
                return self._translation(message)
            case "speaker":
                return self._speaker(message)
            case "status":
                self.status = message["status"]
                self.detail = message.get("detail") or ""
                if self.status in ENDED:
                    self.pending.clear()
            case "session":
                for name in ("language", "target_languages"):
                    self.session[name] = message[name]
            case "coverage":
                self.coverage = list(message["streams"])
            case "lag":
                self.lag_s = float(message["seconds"])
            case "alert":
                self.alerts.append(str(message["message"]))
        return Changed("other")

    def _snapshot(self, message: Mapping[str, Any]) -> None:
        self.session = dict(message.get("session") or {})
        self.status = self.session.get("status", self.status)
        self.detail = self.session.get("status_detail") or ""
        self.finals.clear()
        self.pending.clear()
        for segment in message["segments"]:
            self._segment(segment)

    def _segment(self, segment: dict[str, Any]) -> Changed:
        stream = segment["stream"]
        if segment["state"] == "pending":
            # One that was on its way while it became final is no news.
            if segment["segment_id"] not in self.finals:
                self.pending[stream] = segment
            return Changed("other")
        waiting = self.pending.get(stream)
        if waiting and waiting["end"] <= segment["end"]:
            del self.pending[stream]
        self._retract(segment["segment_id"])
        self.finals[segment["segment_id"]] = segment
        return Changed("final", segment["segment_id"])

    def _retract(self, segment_id: str) -> None:
        self.pending = {
            stream: segment
            for stream, segment in self.pending.items()
            if segment["segment_id"] != segment_id
        }

    def _translation(self, message: Mapping[str, Any]) -> Changed:
        segment = self.finals.get(message["segment_id"])
        if segment is None:
            return Changed("other")
        language = str(message["language"])
        text = {"text": message["text"], "state": message["state"]}
        segment["translations"] = {**segment.get("translations", {}), language: text}
        return Changed("translation", message["segment_id"], language)

    def _speaker(self, message: Mapping[str, Any]) -> Changed:
        for changed in message["segments"]:
            segment = self.finals.get(changed["segment_id"])
            if segment is not None:
                segment["speaker"] = message["speaker"]
                segment["revision"] = changed["revision"]
        return Changed("speaker")


def speaker_name(segment: Mapping[str, Any]) -> str | None:
    """Who said it, as far as is known."""
    speaker = segment.get("speaker")
    return str(speaker["name"]) if speaker else None
