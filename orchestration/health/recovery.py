"""What is done about what is broken: when each action may be taken, and when it only alarms.

An action is tried, then tried again after a pause that doubles; after some in vain it is escalated:
an operator is told, and it is still tried, once in each pause. Pure: time is an argument.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from orchestration.health.alerts import Figure

Action: TypeAlias = Literal[
    "replace_session", "restart_dispatcher", "end_leaked_actor", "end_expired_session"
]
State: TypeAlias = Literal["well", "recovering", "escalated"]
Event: TypeAlias = Literal["acted", "acted_in_vain", "calm"]

ACTIONS: tuple[Action, ...] = get_args(Action)

SUBJECTS_KEPT = 10_000
"""Subjects that are remembered at once; the one that is calm the longest goes first."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How often an action may be taken for one subject.

    `at_once` actions in a row have no pause behind them; behind the next there is `first_pause_ms`,
    which doubles up to `most_pause_ms`. From the `escalate_after`-th in a row on it is escalated.
    A subject with which nothing was done for `calm_ms` begins anew.
    """

    at_once: int
    first_pause_ms: int
    most_pause_ms: int
    escalate_after: int
    calm_ms: int


POLICIES: Mapping[Action, Policy] = {
    # Its meeting waits: the first ones are for actors that died, the pauses for audio that kills.
    "replace_session": Policy(3, 500, 30_000, 6, 60_000),
    # All chunks under way of a node are sent again; the pause is longer than an engine may take.
    "restart_dispatcher": Policy(0, 300_000, 3_600_000, 3, 7_200_000),
    "end_leaked_actor": Policy(1, 5_000, 300_000, 3, 600_000),
    "end_expired_session": Policy(0, 30_000, 1_800_000, 3, 3_600_000),
}

TRANSITIONS: Mapping[State, Mapping[Event, State]] = {
    "well": {"acted": "recovering", "acted_in_vain": "escalated", "calm": "well"},
    "recovering": {"acted": "recovering", "acted_in_vain": "escalated", "calm": "well"},
    "escalated": {"acted": "escalated", "acted_in_vain": "escalated", "calm": "well"},
}
"""A subject's states: from each, where an action or calm leads."""


@dataclass(slots=True)
class _Case:
    """One action for one subject."""

    state: State = "well"
    in_a_row: int = 0
    acted_ms: int = 0
    due_ms: int = 0


@dataclass(frozen=True, slots=True)
class RecoveryReport:
    """What was done since the start, by action, and what does not recover."""

    done: Mapping[Action, int]
    failed: Mapping[Action, int]
    escalated: tuple[tuple[Action, str], ...]
    recovering: tuple[tuple[Action, str], ...]


class RecoveryBook:
    """Counts actions, and says when each may be taken. `now_ms` never goes back."""

    def __init__(self, policies: Mapping[Action, Policy] = POLICIES) -> None:
        self._policies = policies
        self._cases: dict[tuple[Action, str], _Case] = {}
        self._done = dict.fromkeys(ACTIONS, 0)
        self._failed = dict.fromkeys(ACTIONS, 0)

    def due_ms(self, action: Action, subject: str) -> int:
        """When the action may be taken for the subject; 0 for at once."""
        case = self._cases.get((action, subject))
        return 0 if case is None else case.due_ms

    def may_act(self, action: Action, subject: str, now_ms: int) -> bool:
        """Whether the action may be taken now."""
        self._calm_down(now_ms)
        return self.due_ms(action, subject) <= now_ms

    def act(self, action: Action, subject: str, now_ms: int) -> State:
        """The action is taken now, whether or not it may be; returns the subject's state."""
        self._calm_down(now_ms)
        policy = self._policies[action]
        case = self._cases.pop((action, subject), None) or _Case()
        self._cases[action, subject] = case
        case.in_a_row += 1
        case.acted_ms = now_ms
        case.due_ms = now_ms + _pause_ms(policy, case.in_a_row)
        in_vain = case.in_a_row >= policy.escalate_after
        case.state = TRANSITIONS[case.state]["acted_in_vain" if in_vain else "acted"]
        self._done[action] += 1
        if len(self._cases) > SUBJECTS_KEPT:
            del self._cases[next(iter(self._cases))]
        return case.state

    def failed(self, action: Action) -> None:
        """An action that was taken could not be carried out."""
        self._failed[action] += 1

    def forget(self, action: Action, subject: str) -> None:
        """The subject is gone."""
        self._cases.pop((action, subject), None)

    def report(self, now_ms: int) -> RecoveryReport:
        """How it stands."""
        self._calm_down(now_ms)
        return RecoveryReport(
            dict(self._done), dict(self._failed), self._in("escalated"), self._in("recovering")
        )

    def _in(self, state: State) -> tuple[tuple[Action, str], ...]:
        return tuple(key for key, case in self._cases.items() if case.state == state)

    def _calm_down(self, now_ms: int) -> None:
        calm = [
            key
            for key, case in self._cases.items()
            if now_ms - case.acted_ms >= self._policies[key[0]].calm_ms
        ]
        for key in calm:
            del self._cases[key]


class Continuously:
    """What is seen at every look for `for_ms`: a state that passes is no fault yet."""

    def __init__(self, for_ms: int) -> None:
        self._for_ms = for_ms
        self._since_ms: dict[str, int] = {}

    def seen(self, subjects: Iterable[str], now_ms: int) -> tuple[str, ...]:
        """Take one look; returns the subjects that were there long enough, in order."""
        there = sorted(set(subjects))
        self._since_ms = {one: self._since_ms.get(one, now_ms) for one in there}
        return tuple(one for one in there if now_ms - self._since_ms[one] >= self._for_ms)


def recovery_figures(report: RecoveryReport) -> tuple[Figure, ...]:
    """Which subjects do not recover, for alert rules to judge."""
    return tuple(
        Figure("escalated", f"{action} {subject}", int(state == "escalated"))
        for state, cases in (("escalated", report.escalated), ("recovering", report.recovering))
        for action, subject in cases
    )


def recovery_counts(report: RecoveryReport) -> dict[str, int]:
    """What was done, for operators: actions, those that failed, and subjects by state."""
    return {
        **{f"{action}_done": count for action, count in report.done.items()},
        **{f"{action}_failed": count for action, count in report.failed.items()},
        "recovering": len(report.recovering),
        "escalated": len(report.escalated),
    }


def _pause_ms(policy: Policy, in_a_row: int) -> int:
    doublings = in_a_row - policy.at_once - 1
    if doublings < 0:
        return 0
    # Beyond 40 doublings every pause is the longest one.
    doubled_ms: int = policy.first_pause_ms * 2 ** min(doublings, 40)
    return min(policy.most_pause_ms, doubled_ms)
