"""A caption names the words it has, and only those."""

from orchestration.speakers.caption_text import Caption, CaptionText

SECOND = 1_000_000_000


def heard(*texts: str) -> CaptionText:
    """Words of half a second, one after the other."""
    captions = CaptionText()
    for number, text in enumerate(texts):
        captions.heard(0, number * SECOND // 2, (number + 1) * SECOND // 2, text)
    return captions


def named(captions: CaptionText, text: str, start_s: int, end_s: int) -> list[int]:
    """The numbers of the words that the caption names."""
    captions.said(Caption("p1", text, start_s * SECOND, end_s * SECOND))
    captions.match()
    return [2 * span.start_ns // SECOND for span in captions.spans]


def test_its_words_are_found_however_they_are_written_and_late() -> None:
    captions = heard("So,", "shall", "we", "begin?", "Yes.")
    assert named(captions, "Shall we begin", 3, 5) == [1, 2, 3]


def test_a_word_heard_differently_in_between_is_the_same_person_s() -> None:
    captions = heard("shall", "we", "begum", "the", "meeting")
    assert named(captions, "shall we begin the meeting", 1, 3) == [0, 1, 2, 3, 4]


def test_two_words_are_too_few() -> None:
    assert named(heard("yes,", "yes.", "No."), "yes yes", 0, 1) == []


def test_a_caption_of_other_words_names_nobody() -> None:
    captions = heard("shall", "we", "begin?", "Not", "yet.")
    assert named(captions, "the weather will be fine in the north we hope", 0, 3) == []


def test_words_far_from_the_caption_are_not_its() -> None:
    captions = heard(*["shall", "we", "begin?"] * 2, *["and"] * 40)
    assert named(captions, "shall we begin", 15, 17) == []


def test_a_caption_may_come_before_its_words_are_final() -> None:
    captions = heard("So,")
    assert named(captions, "shall we begin", 1, 2) == []
    for number, text in enumerate(["shall", "we", "begin?"], start=1):
        captions.heard(0, number * SECOND // 2, (number + 1) * SECOND // 2, text)
    assert [span.participant_id for span in captions.match()] == ["p1"] * 3
