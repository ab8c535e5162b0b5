"""Layers of settings as nested mappings; a later layer wins, value by value.

Mappings are merged key by key. Anything else, lists too, is taken whole from the later layer: half
a list of services would be nobody's wish.
"""

from collections.abc import Iterator, Mapping
from typing import Any


def merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """The values that the layers add up to; the layers themselves stay as they are."""
    result: dict[str, Any] = {}
    for layer in layers:
        for name, value in layer.items():
            below = result.get(name)
            if isinstance(value, Mapping):
                result[name] = merged(below if isinstance(below, Mapping) else {}, value)
            else:
                result[name] = value
    return result


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by dotted place, as a layer."""
    layer: dict[str, Any] = {}
    for place, value in values.items():
        *parents, name = place.split(".")
        section = layer
        for parent in parents:
            section = section.setdefault(parent, {})
        section[name] = value
    return layer


def leaves(layer: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of a layer with its dotted place; an empty mapping holds none."""
    for name, value in layer.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
