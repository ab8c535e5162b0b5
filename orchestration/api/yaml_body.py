"""A request's body as YAML, read as strictly as JSON."""

from typing import Any

import yaml

from orchestration.config.yaml_text import SettingsLoader, plain_values
from orchestration.errors import BadRequest
from orchestration.json_types import JsonObject


class _PlainLoader(SettingsLoader):
    """Without aliases, by which a short text can stand for one that no memory holds."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.YAMLError("aliases are not allowed")
        return super().compose_node(parent, index)


def read_yaml(body: bytes) -> JsonObject:
    """A mapping of plain values; nothing is an empty one.

    Raises:
        BadRequest: it is something else.
    """
    try:
        values = plain_values(body.decode(), _PlainLoader)
    except ValueError as error:
        raise BadRequest(f"The body is no YAML that can be read: {error}.") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise BadRequest("The body must be a mapping of settings, of plain values only.")
    return values
