"""What a voice without a name is called."""

import pytest

from orchestration.speakers.fallback_names import fallback_name


def name_of(raw: str, stream: int = 0, rig: tuple[str, ...] = ()) -> str | None:
    named = fallback_name(stream, f"voice:{stream}:whisper#{raw}", rig)
    return named.name if named else None


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("SPEAKER_00", "Speaker A"),
        ("1", "Speaker B"),
        ("c", "Speaker C"),
        ("guest", "Speaker guest"),
    ],
)
def test_labels_become_letters(raw: str, name: str) -> None:
    assert name_of(raw) == name


def test_voices_of_two_streams_have_two_names() -> None:
    assert name_of("SPEAKER_00", stream=2) == "Speaker A (2)"


def test_a_rigs_names_are_given_in_order() -> None:
    rig = ("Ana", "Ben")
    assert [name_of(f"SPEAKER_0{n}", rig=rig) for n in range(3)] == ["Ana", "Ben", "Speaker C"]
    by_stream = [fallback_name(stream, None, rig) for stream in range(3)]
    assert [one.name if one else None for one in by_stream] == ["Ana", "Ben", None]


def test_a_label_of_one_answer_has_no_name() -> None:
    assert fallback_name(0, "answer:0:64000#SPEAKER_00", ()) is None
