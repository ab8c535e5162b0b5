"""YAML as settings are written in it, read strictly."""

from typing import Any

import yaml


class SettingsLoader(yaml.SafeLoader):
    """Refuses a name that stands twice in one mapping: YAML forbids it, and the first would be
    dropped without a word."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            name = (key.tag, key.value) if isinstance(key, yaml.ScalarNode) else id(key)
            if name in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"{key.value} stands twice in one mapping",
                    problem_mark=key.start_mark,
                )
            seen.add(name)
        return node


def plain_values(text: str, loader: type[SettingsLoader] = SettingsLoader) -> Any:
    """What the text holds: mappings by name, lists, texts, numbers, true, false and null.

    Raises:
        ValueError: says why it cannot be read.
    """
    try:
        values = yaml.load(text, loader)
        is_plain = _is_plain(values)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not is_plain:
        raise ValueError("it holds what JSON cannot, as a date: put it in quotes")
    return values


def _is_plain(value: object) -> bool:
    if isinstance(value, dict):
        return all(isinstance(name, str) and _is_plain(inner) for name, inner in value.items())
    if isinstance(value, list):
        return all(_is_plain(inner) for inner in value)
    return value is None or isinstance(value, str | int | float | bool)
