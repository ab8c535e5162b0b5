"""Who has asked for the settings of late."""

from actors.settings_keeper import FORGOTTEN_AFTER_MS, LatelyAsked
from orchestration.services.settings_desk import AppliedSettings


def test_processes_that_are_gone_are_forgotten_though_nobody_looks() -> None:
    asked = LatelyAsked()
    for life in range(100):
        asked.add(AppliedSettings(f"ingress-{life}", 1, life * FORGOTTEN_AFTER_MS))
    assert len(asked) == 1


def test_who_is_there_is_named_in_order_with_what_it_has() -> None:
    asked = LatelyAsked()
    for process, version in (("whisper-pool-b", 1), ("ingress-a", 2), ("whisper-pool-b", 2)):
        asked.add(AppliedSettings(process, version, 0))
    there = asked.lately(FORGOTTEN_AFTER_MS - 1)
    assert [(one.process, one.version) for one in there] == [
        ("ingress-a", 2),
        ("whisper-pool-b", 2),
    ]
    assert asked.lately(FORGOTTEN_AFTER_MS) == []


def test_a_clock_that_is_set_back_keeps_nobody_who_is_gone() -> None:
    asked = LatelyAsked()
    asked.add(AppliedSettings("ingress-a", 1, 100 * FORGOTTEN_AFTER_MS))
    asked.add(AppliedSettings("ingress-b", 1, 0))
    assert [one.process for one in asked.lately(1)] == ["ingress-b"]
