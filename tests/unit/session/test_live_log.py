"""What a session keeps of what it told, for who comes later."""

from orchestration.json_types import JsonObject
from orchestration.session.events import DurableEvent, PassingEvent, pending_key
from orchestration.session.exchange import LiveCursor
from orchestration.session.live_log import LiveLog

NEW_READER = LiveCursor(0)


def final(seq: int, stream: int) -> DurableEvent:
    return DurableEvent(seq, "segment", {"segment": {"segment_id": f"s:{seq}", "stream": stream}})


def pending(stream: int, text: str) -> PassingEvent:
    body: JsonObject = {"segment": {"stream": stream, "state": "pending", "text": text}}
    return PassingEvent(pending_key(stream), "segment", body)


def test_what_became_final_is_not_pending_for_who_comes_later() -> None:
    log = LiveLog(1, 0, 10)
    log.tell((), (pending(0, "Shall we"), pending(1, "Yes")))
    assert log.after(NEW_READER).passing == (pending(0, "Shall we"), pending(1, "Yes"))
    log.tell((final(1, 0),), ())
    assert log.after(NEW_READER).passing == (pending(1, "Yes"),)


def test_what_is_pending_behind_a_final_line_is_kept() -> None:
    log = LiveLog(1, 0, 10)
    log.tell((), (pending(0, "Shall we begin? I"),))
    log.tell((final(1, 0),), (pending(0, "I think"),))
    assert log.after(NEW_READER).passing == (pending(0, "I think"),)
