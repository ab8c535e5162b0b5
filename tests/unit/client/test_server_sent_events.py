from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from orchestration.client.server_sent_events import EventParser, ServerSentEvent

STREAM = (
    'retry: 3000\nid: 7\n\n: a comment\n\nevent: raised\nid: 8\ndata: {"né": 1}\n\n'
    "data:two\r\ndata: lines\r\n\r\nevent: cut"
).encode()
EVENTS = [
    ServerSentEvent("raised", '{"né": 1}', "8"),
    ServerSentEvent("message", "two\nlines", "8"),
]


@given(st.lists(st.integers(0, len(STREAM)), max_size=20))
def test_events_are_the_same_in_whatever_pieces_they_come(cuts: list[int]) -> None:
    parser = EventParser()
    edges = [0, *sorted(cuts), len(STREAM)]
    pieces = [STREAM[start:end] for start, end in pairwise(edges)]
    assert [event for piece in pieces for event in parser.feed(piece)] == EVENTS


def test_an_id_without_an_event_is_known_all_the_same() -> None:
    parser = EventParser()
    assert parser.feed(b"retry: 3000\nid: 7\n\n") == []
    assert parser.last_id == "7"
