"""Who is in the meeting, and when they were there. Session time in ns."""

from dataclasses import replace

from orchestration.session.inputs import ParticipantRef

MAX_VISITS = 100
"""Joins and leaves of one person that are remembered; the oldest visits become one."""

DOOR_NS = 5_000_000_000
"""Words this long after somebody left may still be theirs: platforms say so early or late."""


class Roster:
    """Participants by platform id, whether a stream is theirs alone, and their visits."""

    def __init__(self) -> None:
        self._participants: dict[str, ParticipantRef] = {}
        self._own_streams: dict[int, str] = {}
        self._visits: dict[str, list[tuple[int | None, int | None]]] = {}

    @property
    def participants(self) -> dict[str, ParticipantRef]:
        """Everybody seen so far."""
        return dict(self._participants)

    def __len__(self) -> int:
        return len(self._participants)

    def find(self, participant_id: str) -> ParticipantRef | None:
        """A participant, if they were seen."""
        return self._participants.get(participant_id)

    def named(self, participant: ParticipantRef) -> ParticipantRef:
        """A participant of whom no name is told, which is one whose name is the id, by the name
        that is known; by the id as long as there is none."""
        if participant.name not in ("", participant.participant_id):
            return participant
        known = self.find(participant.participant_id)
        return replace(participant, name=known.name if known else participant.participant_id)

    def meet(self, participant: ParticipantRef) -> bool:
        """Know a participant, or their new name; True when that is news."""
        news = self._participants.get(participant.participant_id) != participant
        self._participants[participant.participant_id] = participant
        return news

    def own_stream(self, stream: int, participant: ParticipantRef) -> None:
        """A stream that only this participant speaks in."""
        self._own_streams[stream] = participant.participant_id
        self.meet(participant)

    def owner_of(self, stream: int) -> str | None:
        """The only participant who speaks in a stream."""
        return self._own_streams.get(stream)

    def joined(self, participant_id: str, at_ns: int | None) -> None:
        """Somebody came in, perhaps again."""
        visits = self._visits.setdefault(participant_id, [])
        if visits and visits[-1][1] is None:
            return
        visits.append((at_ns, None))
        if len(visits) > MAX_VISITS:
            visits[:2] = [(visits[0][0], visits[1][1])]

    def left(self, participant_id: str, at_ns: int | None) -> None:
        """Somebody went; who was never seen to join has been there from the beginning."""
        visits = self._visits.setdefault(participant_id, [(None, None)])
        if visits[-1][1] is None and at_ns is not None:
            visits[-1] = (visits[-1][0], at_ns)

    def was_there(self, participant_id: str, at_ns: int) -> bool:
        """Whether somebody can have spoken then; yes, where joins and leaves do not tell."""
        visits = self._visits.get(participant_id)
        return not visits or any(
            (joined_ns is None or joined_ns - DOOR_NS <= at_ns)
            and (left_ns is None or at_ns <= left_ns + DOOR_NS)
            for joined_ns, left_ns in visits
        )

    def had_left(self, participant_id: str, at_ns: int) -> bool:
        """Whether somebody had gone by then and not come back."""
        visits = self._visits.get(participant_id)
        if not visits:
            return False
        _, left_ns = visits[-1]
        return left_ns is not None and left_ns + DOOR_NS < at_ns
