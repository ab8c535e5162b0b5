from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.client import server_sent_events
from orchestration.client.server_sent_events import EventParser, ServerSentEvent
from orchestration.errors import ServiceUnreachable

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


@pytest.mark.parametrize("line", [b"data: " + b"x" * 600 + b"\n", b"data: " + b"x" * 600])
def test_an_event_without_end_is_given_up_in_one_line_or_in_many(
    monkeypatch: pytest.MonkeyPatch, line: bytes
) -> None:
    monkeypatch.setattr(server_sent_events, "MAX_EVENT_BYTES", 1000)
    parser = EventParser()
    assert parser.feed(line) == []
    with pytest.raises(ServiceUnreachable):
        parser.feed(line)


def test_events_of_any_number_are_taken_that_each_have_an_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server_sent_events, "MAX_EVENT_BYTES", 1000)
    parser = EventParser()
    for _ in range(5):
        assert len(parser.feed(b"data: " + b"x" * 600 + b"\n\n")) == 1


def test_an_id_without_an_event_is_known_all_the_same() -> None:
    parser = EventParser()
    assert parser.feed(b"retry: 3000\nid: 7\n\n") == []
    assert parser.last_id == "7"
