"""The machine's figures."""

from pathlib import Path

from orchestration.health.alerts import RULES
from orchestration.health.system import system_figures


def test_the_machine_gives_percentages_that_rules_judge(tmp_path: Path) -> None:
    figures = {one.name: one.value for one in system_figures(tmp_path)}
    assert figures.keys() == {"memory_percent", "cpu_percent", "disk_percent"}
    assert figures.keys() <= {rule.figure for rule in RULES}
    assert all(0 <= value <= 100 for value in figures.values())


def test_a_node_without_the_data_folder_says_nothing_of_its_disk(tmp_path: Path) -> None:
    names = [one.name for one in system_figures(tmp_path / "elsewhere")]
    assert names == ["memory_percent", "cpu_percent"]
