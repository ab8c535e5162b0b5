"""The anchored splice, case by case. Times are in milliseconds, at a thousand samples a second."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from orchestration.transcript.stitching import TAIL_WORDS, Stitcher, StitchingPolicy
from orchestration.transcript.words import Word

POLICY = StitchingPolicy.from_ms(1000)


def word(text: str, start: int, end: int) -> Word:
    return Word(text, start, end, 0.9)


def texts(words: Sequence[Word]) -> list[str]:
    return [one.text for one in words]


def test_from_ms_counts_in_samples_of_the_stream() -> None:
    policy = StitchingPolicy.from_ms(48_000, guard_ms=500)
    assert policy.guard == 24_000
    assert policy.tolerance.time_scale == 16_800
    assert policy.tolerance.max_shift == 33_600


def test_words_inside_the_guard_stay_pending() -> None:
    splice = Stitcher(POLICY).splice(
        chunk_start=0,
        chunk_end=4000,
        is_final=False,
        words=[word("good", 2500, 2900), word("morning", 2900, 3200), word("every", 3200, 3201)],
    )
    assert texts(splice.committed) == ["good", "morning"]
    assert texts(splice.pending) == ["every"]
    assert splice.anchored


def test_a_final_chunk_commits_all_and_moves_the_frontier_to_its_end() -> None:
    stitcher = Stitcher(POLICY)
    splice = stitcher.splice(
        chunk_start=0, chunk_end=4000, is_final=True, words=[word("yes", 3600, 4000)]
    )
    assert texts(splice.committed) == ["yes"]
    assert splice.pending == ()
    assert stitcher.frontier == 4000


def test_the_next_hypothesis_goes_on_after_the_last_word_heard_again() -> None:
    stitcher = Stitcher(POLICY)
    stitcher.splice(
        chunk_start=0,
        chunk_end=4000,
        is_final=False,
        words=[word("Plan", 2100, 2400), word("the", 2500, 2700), word("relea", 3500, 4000)],
    )
    splice = stitcher.splice(
        chunk_start=2000,
        chunk_end=6000,
        is_final=False,
        words=[word("plan,", 2180, 2450), word("the", 2460, 2650), word("release", 3400, 4100)],
    )
    assert splice.anchored
    assert texts(splice.committed) == ["release"]


def test_a_word_heard_differently_the_second_time_is_not_doubled() -> None:
    stitcher = Stitcher(POLICY)
    stitcher.splice(
        chunk_start=0,
        chunk_end=4000,
        is_final=False,
        words=[word("the", 2200, 2400), word("sail", 2500, 2900)],
    )
    splice = stitcher.splice(
        chunk_start=2000,
        chunk_end=6000,
        is_final=False,
        words=[word("the", 2200, 2400), word("sale", 2560, 2990), word("starts", 3000, 3400)],
    )
    assert texts(splice.committed) == ["starts"]


def test_a_true_repetition_across_the_guard_stays_two_words() -> None:
    stitcher = Stitcher(POLICY)
    first = stitcher.splice(
        chunk_start=0,
        chunk_end=4000,
        is_final=False,
        words=[word("no,", 2800, 3100), word("no,", 3300, 3600)],
    )
    second = stitcher.splice(
        chunk_start=2000,
        chunk_end=6000,
        is_final=False,
        words=[word("No,", 2850, 3150), word("no,", 3350, 3650), word("no.", 3800, 4100)],
    )
    assert texts(first.committed) == ["no,"]
    assert texts(first.pending) == ["no,"]
    assert texts(second.committed) == ["no,", "no."]


def test_a_seam_where_nothing_is_heard_again_is_split_by_time_and_told() -> None:
    stitcher = Stitcher(POLICY)
    stitcher.splice(
        chunk_start=0, chunk_end=4000, is_final=False, words=[word("yesterday", 2400, 3000)]
    )
    splice = stitcher.splice(
        chunk_start=2000,
        chunk_end=6000,
        is_final=False,
        words=[word("to", 2400, 2600), word("day", 2600, 2900), word("we", 3100, 3300)],
    )
    assert not splice.anchored
    assert texts(splice.committed) == ["we"]


def test_the_remainder_of_a_word_cut_by_the_chunk_start_is_not_a_new_word() -> None:
    stitcher = Stitcher(POLICY)
    stitcher.splice(
        chunk_start=0, chunk_end=4000, is_final=False, words=[word("customers", 1500, 2040)]
    )
    splice = stitcher.splice(
        chunk_start=2000,
        chunk_end=6000,
        is_final=False,
        words=[word("mers", 2010, 2120), word("find", 3500, 3900)],
    )
    assert texts(splice.committed) == ["find"]


def test_a_word_right_at_the_start_of_a_chunk_after_a_final_one_is_new() -> None:
    stitcher = Stitcher(POLICY)
    stitcher.splice(chunk_start=0, chunk_end=4000, is_final=True, words=[word("so", 3800, 4000)])
    splice = stitcher.splice(
        chunk_start=4000, chunk_end=8000, is_final=False, words=[word("yes", 4020, 4200)]
    )
    assert texts(splice.committed) == ["yes"]


def test_a_hypothesis_that_stops_early_keeps_the_sure_words_it_did_not_reach() -> None:
    stitcher = Stitcher(POLICY)
    heard = [word("Tuesday.", 2600, 3100), word("Perfect.", 3300, 3800)]
    stitcher.splice(chunk_start=0, chunk_end=4000, is_final=False, words=heard)
    splice = stitcher.splice(chunk_start=2000, chunk_end=6000, is_final=False, words=heard[:1])
    assert texts(splice.committed) == ["Perfect."]


def test_an_empty_answer_withdraws_unsure_pending_words_and_commits_sure_ones() -> None:
    stitcher = Stitcher(POLICY)
    stitcher.splice(
        chunk_start=0,
        chunk_end=4000,
        is_final=False,
        words=[word("so", 2500, 2700), word("yes", 3300, 3500), Word("thank", 3600, 3900, 0.4)],
    )
    splice = stitcher.splice(chunk_start=2000, chunk_end=6000, is_final=False, words=[])
    assert texts(splice.committed) == ["yes"]
    assert splice.pending == ()
    assert splice.anchored
    assert stitcher.frontier == 3500


def test_an_early_stop_that_moves_a_pending_word_does_not_double_it() -> None:
    stitcher = Stitcher(POLICY)
    stitcher.splice(
        chunk_start=0, chunk_end=4000, is_final=False, words=[word("Perfect.", 3300, 3800)]
    )
    splice = stitcher.splice(
        chunk_start=2000, chunk_end=6000, is_final=False, words=[word("perfect", 3000, 3400)]
    )
    assert texts(splice.committed) == ["perfect"]


def test_pending_words_before_the_next_chunk_are_committed_because_nobody_hears_them_again() -> (
    None
):
    stitcher = Stitcher(POLICY)
    stitcher.splice(chunk_start=0, chunk_end=4000, is_final=False, words=[word("bye", 3500, 3900)])
    splice = stitcher.splice(chunk_start=9000, chunk_end=13_000, is_final=False, words=[])
    assert texts(splice.committed) == ["bye"]
    assert splice.pending == ()


def test_after_a_long_silence_nothing_is_anchored_prompted_or_said_again() -> None:
    stitcher = Stitcher(POLICY)
    stitcher.splice(chunk_start=0, chunk_end=4000, is_final=True, words=[word("so", 3000, 3300)])
    for chunk_start in range(4000, 60_000, 2000):
        nothing = stitcher.splice(
            chunk_start=chunk_start, chunk_end=chunk_start + 4000, is_final=False, words=[]
        )
        assert nothing.committed == nothing.pending == ()
        assert nothing.anchored
    assert stitcher.prompt(60_000) == ""
    splice = stitcher.splice(
        chunk_start=60_000, chunk_end=64_000, is_final=False, words=[word("so", 61_000, 61_300)]
    )
    assert texts(splice.committed) == ["so"]
    assert splice.anchored


def test_flush_commits_what_is_pending_once() -> None:
    stitcher = Stitcher(POLICY)
    stitcher.splice(chunk_start=0, chunk_end=4000, is_final=False, words=[word("bye", 3500, 3900)])
    assert texts(stitcher.flush()) == ["bye"]
    assert stitcher.flush() == ()
    assert stitcher.pending == ()
    assert stitcher.frontier == 3900


def test_words_forced_before_their_time_are_stitched_to_when_they_are_heard_again() -> None:
    stitcher = Stitcher(POLICY)
    first = [word("we", 3300, 3500), word("fin", 3700, 3980)]
    stitcher.splice(chunk_start=0, chunk_end=4000, is_final=False, words=first)
    assert texts(stitcher.force()) == ["we"]
    assert texts(stitcher.pending) == ["fin"]

    again = [word("we", 3320, 3520), word("finished", 3690, 4200)]
    splice = stitcher.splice(chunk_start=2000, chunk_end=6000, is_final=False, words=again)
    assert texts(splice.committed) == ["finished"]


def test_a_successor_does_not_take_the_remainder_of_a_final_word_for_a_new_one() -> None:
    stitcher = Stitcher(POLICY, frontier=10_940, committed=[word("finished", 8442, 8984)])
    remainder = [word("ed", 8968, 9034)]
    splice = stitcher.splice(chunk_start=8940, chunk_end=9440, is_final=True, words=remainder)
    assert splice.committed == ()


def test_a_successor_commits_only_what_lies_beyond_the_stored_frontier() -> None:
    stitcher = Stitcher(POLICY, frontier=10_000)
    splice = stitcher.splice(
        chunk_start=8000,
        chunk_end=12_000,
        is_final=False,
        words=[word("before", 9500, 9990), word("after", 10_010, 10_400)],
    )
    assert texts(splice.committed) == ["after"]
    assert splice.anchored


def test_times_that_go_back_or_leave_the_chunk_are_brought_into_order() -> None:
    splice = Stitcher(POLICY).splice(
        chunk_start=1000,
        chunk_end=5000,
        is_final=True,
        words=[word("a", 900, 2000), word("b", 1800, 1700), word("c", 1200, 9000)],
    )
    assert [(w.start_sample, w.end_sample) for w in splice.committed] == [
        (1000, 2000),
        (1800, 1800),
        (1800, 5000),
    ]


def test_a_chunk_grown_to_28_seconds_goes_on_at_its_seam() -> None:
    stitcher = Stitcher(POLICY)
    said = [word(f"w{i}", i * 400, i * 400 + 300) for i in range(100)]
    first = stitcher.splice(
        chunk_start=0, chunk_end=28_000, is_final=False, words=said[:70]
    ).committed
    second = stitcher.splice(
        chunk_start=26_000, chunk_end=40_000, is_final=True, words=said[65:]
    ).committed
    assert [*first, *second] == said


def test_characters_of_an_unspaced_language_are_stitched_one_by_one() -> None:
    stitcher = Stitcher(POLICY)
    said = [word(c, 2000 + i * 200, 2200 + i * 200) for i, c in enumerate("我们明天开会。好好")]
    first = stitcher.splice(chunk_start=0, chunk_end=4000, is_final=False, words=said)
    second = stitcher.splice(chunk_start=2000, chunk_end=6000, is_final=False, words=said)
    assert "".join(texts([*first.committed, *second.committed])) == "我们明天开会。好好"


class TestPrompt:
    def test_it_is_the_last_whole_words_that_end_before_the_chunk(self) -> None:
        stitcher = Stitcher(POLICY)
        said = [word("the", 0, 300), word("design", 300, 900), word("is", 900, 1100)]
        stitcher.splice(chunk_start=0, chunk_end=4000, is_final=True, words=said)
        assert stitcher.prompt(1000) == "the design"
        assert stitcher.prompt(4000) == "the design is"
        assert stitcher.prompt(4000, max_characters=9) == "design is"
        assert stitcher.prompt(4000, max_characters=8) == "is"

    def test_it_is_empty_after_three_seconds_of_silence(self) -> None:
        stitcher = Stitcher(POLICY)
        stitcher.splice(chunk_start=0, chunk_end=4000, is_final=True, words=[word("so", 0, 1000)])
        assert stitcher.prompt(3999) == "so"
        assert stitcher.prompt(4000) == ""

    def test_unspaced_languages_are_joined_without_spaces(self) -> None:
        stitcher = Stitcher(POLICY)
        said = [word("明", 0, 300), word("天", 300, 600)]
        stitcher.splice(chunk_start=0, chunk_end=1000, is_final=True, words=said)
        assert stitcher.prompt(1000, language="zh") == "明天"

    def test_nothing_said_prompts_nothing(self) -> None:
        assert Stitcher(POLICY).prompt(0) == ""


def test_memory_stays_bounded_over_a_long_meeting() -> None:
    stitcher = Stitcher(POLICY)
    for k in range(2 * TAIL_WORDS):
        start = k * 1000
        stitcher.splice(
            chunk_start=start,
            chunk_end=start + 1000,
            is_final=True,
            words=[word("so", start + 100, start + 900)],
        )
    assert len(stitcher._tail) == TAIL_WORDS


heard_words = st.lists(
    st.tuples(
        st.sampled_from(["no", "No,", "yes", "yesterday", "—", "好"]),
        st.integers(-500, 6000),
        st.integers(-500, 6000),
    ),
    max_size=12,
)
chunks = st.lists(
    st.tuples(st.integers(-1000, 4000), st.integers(1, 6000), st.booleans(), heard_words),
    max_size=12,
)


@given(chunks)
def test_whatever_whisper_answers_commits_are_ordered_and_never_taken_back(
    steps: list[tuple[int, int, bool, list[tuple[str, int, int]]]],
) -> None:
    stitcher = Stitcher(POLICY)
    committed: list[Word] = []
    chunk_start, frontier = 0, 0
    for advance, length, is_final, heard in steps:
        chunk_start = max(0, chunk_start + advance)
        splice = stitcher.splice(
            chunk_start=chunk_start,
            chunk_end=chunk_start + length,
            is_final=is_final,
            words=[word(t, chunk_start + s, chunk_start + e) for t, s, e in heard],
        )
        committed.extend(splice.committed)
        run = [*committed, *splice.pending]
        starts = [one.start_sample for one in run]
        assert starts == sorted(starts)
        assert all(one.end_sample >= one.start_sample for one in run)
        assert stitcher.pending == splice.pending
        assert not (is_final and splice.pending)
        assert stitcher.frontier >= frontier
        frontier = stitcher.frontier
    assert all(one.end_sample <= frontier for one in committed)


@given(heard_words)
def test_the_same_answer_twice_commits_no_word_twice(heard: list[tuple[str, int, int]]) -> None:
    ordered = sorted(heard, key=lambda one: one[1])
    words = [word(text, 500 * i, 500 * i + 400) for i, (text, _, _) in enumerate(ordered)]
    stitcher = Stitcher(POLICY)
    first = stitcher.splice(chunk_start=0, chunk_end=7000, is_final=False, words=words)
    again = stitcher.splice(chunk_start=0, chunk_end=7000, is_final=True, words=words)
    assert [*first.committed, *again.committed] == words
