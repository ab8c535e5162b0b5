"""Who is in the meeting, and who the platform says is speaking when. Session time in ns."""

from bisect import bisect_right, insort
from dataclasses import dataclass

from orchestration.session.inputs import ParticipantRef
from orchestration.speakers.event_lag import EventLag
from orchestration.transcript.segments import SpeakerName

MAX_INTERVALS = 20_000
"""Speaking intervals kept; the oldest go first: by then their words are long final."""

MAX_SCANNED_INTERVALS = 2_000
"""The newest intervals by which a lag is found: more than ten minutes of any meeting."""

NEAREST_NS = 500_000_000
"""A word that no interval covers is its nearest neighbour's within this: whisper's word times
and a platform's indicator both stray by some hundred milliseconds."""

FLICKER_NS = 1_000_000_000
"""A shorter interval inside somebody else's is a cough or an indicator's flicker, not a turn."""

MAX_RIVAL_SHARE = 0.5
"""A word that a second speaker covers by more than this share of what the first one covers is
nobody's: of two who speak at once, events cannot tell whose word whisper wrote."""

LOOKBACK_INTERVALS = 64
"""Intervals before a word that are looked at; beyond it nobody has spoken without pause."""


@dataclass(frozen=True, slots=True, order=True)
class SpeakingInterval:
    """The platform's word that a participant spoke; `end_ns` is None while they still do."""

    start_ns: int
    participant_id: str
    end_ns: int | None


class Roster:
    """Participants by platform id, and the words that are theirs.

    A participant's own stream names its words; in a mixed stream the speaking interval with the
    greatest overlap does (WhisperX's rule for words and diarization), once the events are moved
    back by the lag that the meeting platform has. Unknown beats wrong.
    """

    def __init__(self) -> None:
        self._participants: dict[str, ParticipantRef] = {}
        self._own_streams: dict[int, str] = {}
        self._closed: list[SpeakingInterval] = []
        self._open: dict[str, int] = {}
        self._lag = EventLag()

    @property
    def lag_ns(self) -> int:
        """How far speaking events are behind the voices."""
        return self._lag.lag_ns

    @property
    def participants(self) -> dict[str, ParticipantRef]:
        """Everybody seen so far."""
        return dict(self._participants)

    def meet(self, participant: ParticipantRef) -> bool:
        """Know a participant, or their new name; True when that is news."""
        news = self._participants.get(participant.participant_id) != participant
        self._participants[participant.participant_id] = participant
        return news

    def own_stream(self, stream: int, participant: ParticipantRef) -> None:
        """A stream that only this participant speaks in."""
        self._own_streams[stream] = participant.participant_id
        self.meet(participant)

    def started(self, participant_id: str, at_ns: int) -> SpeakingInterval:
        """Somebody starts to speak; a start without a stop goes on."""
        start_ns = self._open.setdefault(participant_id, at_ns)
        return SpeakingInterval(start_ns, participant_id, None)

    def stopped(self, participant_id: str, at_ns: int) -> SpeakingInterval | None:
        """Somebody stops; None when no start was seen."""
        start_ns = self._open.pop(participant_id, None)
        if start_ns is None:
            return None
        interval = SpeakingInterval(start_ns, participant_id, max(start_ns, at_ns))
        insort(self._closed, interval)
        if len(self._closed) > MAX_INTERVALS:
            del self._closed[: MAX_INTERVALS // 10]
        return interval

    def heard(self, stream: int, start_ns: int, end_ns: int) -> None:
        """Words that are final lie here: evidence of the platform's lag, in a mixed stream."""
        if stream in self._own_streams:
            return
        self._lag.heard(start_ns, end_ns)
        if self._lag.is_scan_due:
            said = [*self._closed[-MAX_SCANNED_INTERVALS:], *self._still_open()]
            self._lag.scan((one.start_ns, one.end_ns) for one in said if not self._is_bot(one))

    def speaker_of(self, stream: int, start_ns: int, end_ns: int) -> SpeakerName | None:
        """Whose word lies at `start_ns` to `end_ns` of this stream; None when nothing tells."""
        own = self._own_streams.get(stream)
        if own is not None:
            return SpeakerName(own, self._participants[own].name, 1.0, "own_stream")
        start_ns, end_ns = start_ns + self.lag_ns, end_ns + self.lag_ns
        covered_ns = self._covered_ns(start_ns, end_ns)
        if not covered_ns:
            return None
        best, overlap_ns = max(covered_ns.items(), key=lambda one: one[1])
        rival_ns = max((ns for who, ns in covered_ns.items() if who != best), default=0)
        if overlap_ns < -NEAREST_NS or 0 < overlap_ns * MAX_RIVAL_SHARE < rival_ns:
            return None
        share = overlap_ns / max(1, end_ns - start_ns, overlap_ns + rival_ns)
        confidence = max(0.5, min(1.0, share))
        return SpeakerName(best, self._participants[best].name, confidence, "temporal")

    def _covered_ns(self, start_ns: int, end_ns: int) -> dict[str, int]:
        """How much of a span each participant speaks in; negative is the distance to it."""
        near = self._near(start_ns, end_ns)
        turns = [one for one in near if not _is_flicker(one)]
        if any(_overlap_ns(one, start_ns, end_ns) > 0 for one in turns):
            near = turns
        covered_ns: dict[str, int] = {}
        for one in near:
            overlap_ns = _overlap_ns(one, start_ns, end_ns)
            covered_ns[one.participant_id] = max(
                overlap_ns, covered_ns.get(one.participant_id, overlap_ns)
            )
        return covered_ns

    def _near(self, start_ns: int, end_ns: int) -> list[SpeakingInterval]:
        after = bisect_right(self._closed, end_ns + NEAREST_NS, key=lambda one: one.start_ns)
        near = self._closed[max(0, after - LOOKBACK_INTERVALS) : after]
        near += self._still_open()
        return [one for one in near if not self._is_bot(one)]

    def _still_open(self) -> list[SpeakingInterval]:
        return [SpeakingInterval(began, who, None) for who, began in self._open.items()]

    def _is_bot(self, interval: SpeakingInterval) -> bool:
        return self._participants[interval.participant_id].is_bot


def _is_flicker(interval: SpeakingInterval) -> bool:
    return interval.end_ns is not None and interval.end_ns - interval.start_ns < FLICKER_NS


def _overlap_ns(interval: SpeakingInterval, start_ns: int, end_ns: int) -> int:
    """Nanoseconds in common; negative is the distance between the two."""
    interval_end_ns = end_ns if interval.end_ns is None else interval.end_ns
    if interval.end_ns is None and interval.start_ns > end_ns:
        interval_end_ns = interval.start_ns
    return min(end_ns, interval_end_ns) - max(start_ns, interval.start_ns)
