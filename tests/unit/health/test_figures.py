"""What alert rules get to judge."""

from orchestration.health.alerts import Figure
from orchestration.health.figures import part_figures
from orchestration.health.report import ServiceHealth


def test_a_part_that_answers_has_a_response_time() -> None:
    figures = part_figures([ServiceHealth("whisper", "healthy", None, 1000, 7, 0)])
    assert Figure("latency_ms", "whisper", 7) in figures
    assert Figure("unhealthy", "whisper", 0) in figures


def test_a_part_that_fails_gives_no_response_time_to_judge() -> None:
    figures = part_figures([ServiceHealth("whisper", "unhealthy", None, 1000, 7, 3)])
    assert figures == (Figure("failed_probes", "whisper", 3), Figure("unhealthy", "whisper", 1))
