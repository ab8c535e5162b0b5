"""Recovery actions at literal times."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.health import recovery
from orchestration.health.alerts import Figure
from orchestration.health.recovery import (
    ACTIONS,
    POLICIES,
    TRANSITIONS,
    Action,
    Continuously,
    Policy,
    RecoveryBook,
    recovery_figures,
)

QUICK = Policy(at_once=1, first_pause_ms=10, most_pause_ms=40, escalate_after=3, calm_ms=100)


def book_of(policy: Policy = QUICK) -> RecoveryBook:
    return RecoveryBook(dict.fromkeys(ACTIONS, policy))


def test_pauses_double_up_to_the_longest() -> None:
    book, now_ms, pauses = book_of(), 0, []
    for _ in range(6):
        book.act("replace_session", "s1", now_ms)
        due_ms = book.due_ms("replace_session", "s1")
        pauses.append(due_ms - now_ms)
        now_ms = due_ms
    assert pauses == [0, 10, 20, 40, 40, 40]


def test_nothing_is_done_before_the_pause_is_over() -> None:
    book = book_of()
    book.act("end_leaked_actor", "a", 0)
    assert book.may_act("end_leaked_actor", "a", 0)
    book.act("end_leaked_actor", "a", 0)
    assert not book.may_act("end_leaked_actor", "a", 9)
    assert book.may_act("end_leaked_actor", "a", 10)
    assert book.may_act("end_leaked_actor", "another", 5)
    assert book.may_act("restart_dispatcher", "a", 5)


def test_what_does_not_recover_is_escalated_and_still_tried_in_every_pause() -> None:
    book = book_of()
    assert [book.act("restart_dispatcher", "d", at_ms) for at_ms in (0, 0, 10, 30)] == [
        "recovering",
        "recovering",
        "escalated",
        "escalated",
    ]
    book.act("restart_dispatcher", "fine", 30)
    report = book.report(30)
    assert report.escalated == (("restart_dispatcher", "d"),)
    assert report.done["restart_dispatcher"] == 5
    assert recovery_figures(report) == (
        Figure("escalated", "restart_dispatcher d", 1),
        Figure("escalated", "restart_dispatcher fine", 0),
    )
    assert book.may_act("restart_dispatcher", "d", 70)


def test_a_subject_that_stayed_calm_begins_anew() -> None:
    book = book_of()
    for at_ms in (0, 0, 10):
        book.act("replace_session", "s1", at_ms)
    assert book.report(109).escalated == (("replace_session", "s1"),)
    assert book.report(110).escalated == ()
    assert book.act("replace_session", "s1", 110) == "recovering"


def test_a_subject_that_is_gone_is_forgotten_and_its_actions_stay_counted() -> None:
    book = book_of()
    book.act("replace_session", "s1", 0)
    book.act("replace_session", "s1", 0)
    book.failed("replace_session")
    book.forget("replace_session", "s1")
    assert book.due_ms("replace_session", "s1") == 0
    report = book.report(0)
    assert (report.done["replace_session"], report.failed["replace_session"]) == (2, 1)


@pytest.mark.parametrize("action", ACTIONS)
def test_every_policy_remembers_a_subject_for_longer_than_its_pauses(action: Action) -> None:
    policy = POLICIES[action]
    assert policy.calm_ms > policy.most_pause_ms >= policy.first_pause_ms > 0
    assert policy.escalate_after > policy.at_once


def test_every_state_has_a_way_back() -> None:
    assert all(after["calm"] == "well" for after in TRANSITIONS.values())


@given(st.lists(st.integers(0, 400_000), max_size=80), st.sampled_from(ACTIONS))
def test_however_often_it_is_asked_for_an_action_is_taken_within_its_policy(
    waits_ms: list[int], action: Action
) -> None:
    book, policy, now_ms, taken_ms = RecoveryBook(), POLICIES[action], 0, []
    for wait_ms in waits_ms:
        now_ms += wait_ms
        if book.may_act(action, "it", now_ms):
            book.act(action, "it", now_ms)
            taken_ms.append(now_ms)
    at_once = policy.at_once + 1
    for first, last in zip(taken_ms, taken_ms[at_once:], strict=False):
        assert last - first >= policy.first_pause_ms


def test_of_too_many_subjects_the_calmest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "SUBJECTS_KEPT", 2)
    book = book_of()
    for subject in ("a", "b", "a", "c"):
        book.act("replace_session", subject, 0)
    kept = {subject for _, subject in book.report(0).recovering}
    assert kept == {"a", "c"}


def test_only_what_is_seen_all_the_time_counts() -> None:
    watch = Continuously(30)
    assert watch.seen(["a", "b"], 0) == ()
    assert watch.seen(["a"], 20) == ()
    assert watch.seen(["a", "b"], 30) == ("a",)
    assert watch.seen(["b"], 59) == ()
    assert watch.seen(["b"], 60) == ("b",)
