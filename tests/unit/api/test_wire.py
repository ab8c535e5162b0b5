"""The ingest protocol's messages: what is understood and what is refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.api.server_messages import error_message, welcome_message
from orchestration.api.wire import (
    FRAME_HEADER,
    Hello,
    OpenStream,
    Ping,
    UnknownMessage,
    check_whole_samples,
    json_depth_exceeds,
    parse_client_message,
    parse_frame,
)
from orchestration.audio.pcm import PcmFormat
from orchestration.client.wire import frame_bytes
from orchestration.config.models import IngestSettings
from orchestration.errors import BadAudio, BadRequest, OrchestrationError, TooLarge
from orchestration.json_types import JsonObject, JsonValue
from orchestration.session.exchange import StreamPosition, Welcome
from orchestration.session.fields import MAX_INTEGER, MAX_STREAM
from orchestration.session.inputs import AudioFrame, EndOfStreams, ParticipantRef, StreamSpec

LIMITS = IngestSettings()
STREAM: JsonObject = {"id": 0, "encoding": "s16le", "sample_rate": 16000, "channels": 1}

frames = st.builds(
    AudioFrame,
    st.integers(0, MAX_STREAM),
    st.integers(0, MAX_INTEGER),
    st.integers(0, MAX_INTEGER),
    st.binary(max_size=200),
)


def parse(body: JsonObject) -> object:
    return parse_client_message(json.dumps(body), LIMITS)


@given(frames)
def test_the_service_reads_the_frames_that_its_client_writes(frame: AudioFrame) -> None:
    data = frame_bytes(frame.stream, frame.seq, frame.first_sample, frame.payload)
    assert parse_frame(data, 65_536) == frame


def test_a_frame_is_20_bytes_of_big_endian_header_then_audio() -> None:
    data = frame_bytes(1, 2, 3, b"\xaa\xbb")

    assert data.hex() == "01000001" + "0000000000000002" + "0000000000000003" + "aabb"


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", BadAudio),
        (b"\x01" * 19, BadAudio),
        (FRAME_HEADER.pack(2, 0, 0, 0, 0), BadAudio),
        (FRAME_HEADER.pack(1, 1, 0, 0, 0), BadAudio),
        (FRAME_HEADER.pack(1, 0, 0, 2**63, 0), BadAudio),
        (FRAME_HEADER.pack(1, 0, 0, 0, 2**64 - 1), BadAudio),
        (FRAME_HEADER.pack(1, 0, 0, 0, 0) + bytes(65_517), TooLarge),
    ],
)
def test_a_wrong_frame_is_refused(data: bytes, error: type[OrchestrationError]) -> None:
    with pytest.raises(error):
        parse_frame(data, 65_536)


def test_a_frame_of_exactly_the_limit_is_taken() -> None:
    assert len(parse_frame(frame_bytes(0, 0, 0, bytes(65_516)), 65_536).payload) == (65_516)


def test_half_a_sample_is_refused() -> None:
    with pytest.raises(BadAudio) as refused:
        check_whole_samples(AudioFrame(0, 0, 0, bytes(6)), PcmFormat("s16le", 16_000, 2))

    assert refused.value.facts["sample_bytes"] == 4


def test_hello_names_its_streams() -> None:
    participant: JsonObject = {"id": "p1", "name": "Ana", "email": "ana@example.org"}
    message = parse(
        {
            "type": "hello",
            "protocol": 1,
            "streams": [STREAM, STREAM | {"id": 1, "participant": participant}],
            "agent": "somebody's bot",
        }
    )

    pcm_format = PcmFormat("s16le", 16_000, 1)
    assert message == Hello(
        (
            StreamSpec(0, pcm_format),
            StreamSpec(1, pcm_format, ParticipantRef("p1", "Ana", "ana@example.org")),
        )
    )


def test_one_more_stream_is_a_stream_message() -> None:
    message = parse({"type": "stream", **STREAM, "encoding": "f32le"})

    assert message == OpenStream(StreamSpec(0, PcmFormat("f32le", 16_000, 1)))


def test_end_says_where_each_stream_ends_and_minus_one_where_there_was_none() -> None:
    message = parse(
        {
            "type": "end",
            "streams": [{"id": 0, "last_seq": 41}, {"id": 1, "last_seq": -1}],
            "last_fact": -1,
        }
    )

    assert message == EndOfStreams(((0, 41), (1, -1)), -1)


def test_a_type_of_a_later_version_is_not_an_error() -> None:
    assert parse({"type": "reaction", "emoji": "x"}) == UnknownMessage("reaction")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"encoding": "opus"}, BadAudio),
        ({"encoding": ["s16le"]}, BadAudio),
        ({"sample_rate": 7999}, BadAudio),
        ({"sample_rate": 48001}, BadAudio),
        ({"channels": 3}, BadAudio),
        ({"channels": 0}, BadAudio),
        ({"encoding": None}, BadRequest),
        ({"sample_rate": "16000"}, BadRequest),
        ({"id": 65536}, BadRequest),
        ({"id": -1}, BadRequest),
        ({"participant": "Ana"}, BadRequest),
        ({"participant": {"id": "p1", "name": "a" * 201}}, BadRequest),
    ],
)
def test_a_wrong_stream_is_refused(change: JsonObject, error: type[OrchestrationError]) -> None:
    with pytest.raises(error):
        parse({"type": "hello", "protocol": 1, "streams": [STREAM | change]})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "[]",
        "null",
        "{}",
        '{"type": 7}',
        '{"type": "hello"}',
        '{"type": "hello", "protocol": 2, "streams": []}',
        '{"type": "hello", "protocol": 1, "streams": {}}',
        '{"type": "hello", "protocol": 1, "streams": [7]}',
        '{"type": "end", "streams": [{"id": 0, "last_seq": -2}], "last_fact": 0}',
        '{"type": "end", "streams": []}',
        '{"type": "ping", "t": NaN}',
        '{"type": "ping", "t": 1e999}',
        '{"type": "ping", "t": ' + "1" * 5000 + "}",
        "[" * 60_000,
        '{"a":' * 17 + "1" + "}" * 17,
    ],
)
def test_what_is_no_message_is_a_bad_request(text: str) -> None:
    with pytest.raises(BadRequest):
        parse_client_message(text, LIMITS)


def test_a_stream_named_twice_is_refused() -> None:
    with pytest.raises(BadRequest):
        parse({"type": "hello", "protocol": 1, "streams": [STREAM, STREAM]})


def test_too_many_streams_are_refused_with_the_limits_name() -> None:
    streams: list[JsonValue] = [STREAM | {"id": number} for number in range(65)]
    with pytest.raises(BadAudio) as refused:
        parse({"type": "hello", "protocol": 1, "streams": streams})

    assert refused.value.facts == {"limit": "max_streams", "max": 64}


def test_text_is_measured_in_bytes() -> None:
    text = json.dumps({"type": "ping", "t": "é" * 33_000}, ensure_ascii=False)
    with pytest.raises(TooLarge) as refused:
        parse_client_message(text, LIMITS)

    assert refused.value.facts["limit"] == "max_text_bytes"


@given(st.text(alphabet='[]{}"\\a,:', max_size=60), st.integers(1, 6))
def test_depth_counts_brackets_outside_of_strings(text: str, most: int) -> None:
    try:
        value = json.loads(text)
    except ValueError:
        return

    def depth(node: object) -> int:
        if isinstance(node, dict):
            return 1 + max(map(depth, node.values()), default=0)
        if isinstance(node, list):
            return 1 + max(map(depth, node), default=0)
        return 0

    assert json_depth_exceeds(text, most) >= (depth(value) > most)


FIELD_NAMES = [
    *("fact", "stream", "sample", "unix_ms", "streams", "protocol", "name", "participant_id"),
    *("participant", "event", "text", "start_sample", "end_sample", "last_fact", "id", "t"),
]
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text("a\0")
json_values = scalars | st.lists(scalars, max_size=2) | st.just({"id": "p", "name": "n"})
field_names = st.sampled_from(FIELD_NAMES)
message_types = st.sampled_from(
    ["hello", "stream", "speaker", "participant", "caption", "chat", "clock", "end", "ping", "x"]
)


@given(message_types, st.dictionaries(field_names, json_values, max_size=8))
def test_any_message_is_understood_or_refused_by_name(kind: str, fields: JsonObject) -> None:
    try:
        parse({**fields, "type": kind})
    except (BadRequest, BadAudio) as error:
        refusal: OrchestrationError | None = error
    else:
        refusal = None

    assert refusal is None or json.dumps(error_message(refusal, fatal=True))


@pytest.mark.parametrize("t", [0, 1.5, "now", None])
def test_a_ping_is_echoed(t: object) -> None:
    message = parse_client_message(json.dumps({"type": "ping", "t": t}), LIMITS)

    assert message == Ping(t)  # type: ignore[arg-type]


def test_an_error_carries_its_facts_but_none_hides_its_code() -> None:
    error = BadAudio("No.", {"stream": 3, "code": "forged"})

    assert error_message(error, fatal=True) == {
        "type": "error",
        "code": "bad_audio",
        "message": "No.",
        "fatal": True,
        "stream": 3,
    }


def test_welcome_says_where_to_go_on_and_the_limits() -> None:
    welcome = Welcome("s", 7, (StreamPosition(0, 12, 9600, 600),), 3)

    assert welcome_message(welcome, LIMITS) == {
        "type": "welcome",
        "session_id": "s",
        "epoch": 7,
        "streams": [{"id": 0, "next_seq": 12, "next_sample": 9600, "window": 600}],
        "next_fact": 3,
        "max_frame_bytes": 65536,
        "ack_ms": 250,
    }
