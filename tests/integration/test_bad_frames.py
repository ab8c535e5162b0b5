"""Whatever a client of a WebSocket sends, it is answered, and no other client notices."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings

from tests.conformance import bad_frames
from tests.conformance.neighbours import PROTOCOLS, Neighbourhood, Protocol, neighbourhood
from tests.conformance.raw_websocket import BINARY, CLOSE, TEXT, raw_frame, text

each_protocol = pytest.mark.parametrize("protocol", PROTOCOLS)
some_cases = settings(
    max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neighbourhood]:
    with neighbourhood(tmp_path_factory.mktemp("bad_frames")) as running:
        yield running


@each_protocol
@pytest.mark.parametrize("case", bad_frames.FRAME_CASES, ids=lambda one: one.name)
def test_frames_against_the_rfc_end_their_own_connection_with_a_code(
    street: Neighbourhood, protocol: Protocol, case: bad_frames.FrameCase
) -> None:
    street.judge_frames(protocol, case)


@each_protocol
@pytest.mark.parametrize("cut", [1, 2, 5, 9])
def test_who_leaves_within_a_frame_is_missed_by_nobody(
    street: Neighbourhood, protocol: Protocol, cut: int
) -> None:
    street.judge_cut(protocol, text({"type": "ping", "t": 1})[:cut])


@pytest.mark.parametrize("also_leaves", [False, True])
def test_a_text_that_is_not_utf8_fills_one_line_of_the_log(
    street: Neighbourhood, caplog: pytest.LogCaptureFixture, also_leaves: bool
) -> None:
    with street.opened("live") as socket:
        socket.send(raw_frame(TEXT, b"\xff\xfe") + raw_frame(CLOSE, b"\x03\xe8") * also_leaves)
        assert not socket.until(lambda _: False)

    told = [one for one in caplog.records if one.name in ("uvicorn.error", "asyncio")]
    assert [(one.getMessage(), one.exc_info) for one in told] == [
        ("Invalid UTF-8 sequence received from client.", None)
    ]


@each_protocol
@some_cases
@given(frame=bad_frames.random_frames)
def test_no_frame_harms_another_connection(
    street: Neighbourhood, protocol: Protocol, frame: bytes
) -> None:
    street.judge_random_frame(protocol, frame)


@some_cases
@given(said=bad_frames.mutated(bad_frames.INGEST_MESSAGES) | bad_frames.no_json)
def test_every_message_of_a_bot_is_answered(street: Neighbourhood, said: str) -> None:
    street.judge_message("ingest", text(said))


@some_cases
@given(said=bad_frames.mutated(bad_frames.INGEST_MESSAGES) | bad_frames.no_json)
def test_every_first_message_of_a_bot_is_answered(street: Neighbourhood, said: str) -> None:
    street.judge_first_message(text(said))


@some_cases
@given(data=bad_frames.audio_frames)
def test_every_audio_frame_is_answered(street: Neighbourhood, data: bytes) -> None:
    street.judge_message("ingest", raw_frame(BINARY, data))


@some_cases
@given(said=bad_frames.mutated(bad_frames.LIVE_MESSAGES) | bad_frames.no_json)
def test_every_message_of_a_viewer_is_answered(street: Neighbourhood, said: str) -> None:
    street.judge_message("live", text(said))


@some_cases
@given(said=bad_frames.socket_io_packets())
def test_every_packet_of_socket_io_is_answered(street: Neighbourhood, said: str) -> None:
    street.judge_message("socket_io", text(said))
