"""Reads Grafana Alloy's configuration syntax: blocks, attributes and expressions, no more.

After the grammar in Alloy's documentation of its syntax. Nothing that packages offer parses it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

TOKEN = re.compile(
    r"""(?P<space>[ \t\r]+|//[^\n]*|/\*.*?\*/)
      | (?P<newline>\n)
      | (?P<string>"(?:[^"\\\n]|\\.)*")
      | (?P<number>-?\d+(?:\.\d+)?)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)
      | (?P<sign>[{}\[\](),=])""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Reference:
    """What another component exports, or a name of the language itself."""

    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """A function with its arguments."""

    function: str
    arguments: tuple[Any, ...]


@dataclass(slots=True)
class Block:
    """`kind "label" { ... }`; values are strings, numbers, lists, dicts, references and calls."""

    kind: str
    label: str | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    blocks: list["Block"] = field(default_factory=list)

    @property
    def name(self) -> str:
        """By which others refer to it."""
        return self.kind if self.label is None else f"{self.kind}.{self.label}"


def read_alloy(text: str) -> list[Block]:
    """The blocks of a file.

    Raises:
        ValueError: it is no such file.
    """
    tokens = _Tokens(text)
    found = _body(tokens, "")
    if found.attributes:
        raise ValueError("only blocks stand outside of blocks")
    return found.blocks


def references(value: Any) -> Iterator[str]:
    """All that an expression refers to."""
    match value:
        case Reference(name):
            yield name
        case Call(_, arguments):
            yield from references(list(arguments))
        case list():
            for one in value:
                yield from references(one)
        case dict():
            yield from references(list(value.values()))


class _Tokens:
    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        position = 0
        while position < len(text):
            found = TOKEN.match(text, position)
            if found is None:
                raise ValueError(f"unexpected {text[position : position + 20]!r}")
            if found.lastgroup != "space":
                self._tokens.append((str(found.lastgroup), found.group()))
            position = found.end()
        self._tokens.append(("end", ""))

    @property
    def next(self) -> tuple[str, str]:
        return self._tokens[0]

    def take(self, *wanted: str) -> str:
        """The next one, which has to be of one of these kinds, or one of these signs."""
        kind, text = self._tokens[0]
        if not {kind, text} & set(wanted):
            raise ValueError(f"{text!r} where {wanted} is wanted")
        if kind != "end":
            del self._tokens[0]
        return text

    def skip_lines(self) -> None:
        while self.next[0] == "newline":
            self.take("newline")


def _body(tokens: _Tokens, kind: str) -> Block:
    block = Block(kind)
    tokens.skip_lines()
    while tokens.next[0] == "name":
        name = tokens.take("name")
        if tokens.next[1] == "=":
            tokens.take("=")
            if name in block.attributes:
                raise ValueError(f"{name} is given twice")
            block.attributes[name] = _value(tokens)
        else:
            label = tokens.take("string")[1:-1] if tokens.next[0] == "string" else None
            tokens.take("{")
            inner = _body(tokens, name)
            tokens.take("}")
            inner.label = label
            block.blocks.append(inner)
        if tokens.next[1] not in ("}", ""):
            tokens.take("newline")
        tokens.skip_lines()
    if not kind:
        tokens.take("end")
    return block


def _value(tokens: _Tokens) -> Any:
    kind, text = tokens.next
    if kind == "string":
        return tokens.take("string")[1:-1]
    if kind == "number":
        return float(tokens.take("number"))
    if text == "[":
        return _listed(tokens, "[", "]")
    if text == "{":
        return _object(tokens)
    name = tokens.take("name")
    if tokens.next[1] == "(":
        return Call(name, tuple(_listed(tokens, "(", ")")))
    return {"true": True, "false": False, "null": None}.get(name, Reference(name))


def _listed(tokens: _Tokens, opening: str, closing: str) -> list[Any]:
    values = []
    tokens.take(opening)
    tokens.skip_lines()
    while tokens.next[1] != closing:
        values.append(_value(tokens))
        tokens.skip_lines()
        if tokens.next[1] != closing:
            tokens.take(",")
            tokens.skip_lines()
    tokens.take(closing)
    return values


def _object(tokens: _Tokens) -> dict[str, Any]:
    values: dict[str, Any] = {}
    tokens.take("{")
    tokens.skip_lines()
    while tokens.next[1] != "}":
        key = tokens.take("name", "string").strip('"')
        tokens.take("=")
        values[key] = _value(tokens)
        # On a line of its own, too, a field ends with a comma.
        if tokens.next[1] != "}":
            tokens.take(",")
        tokens.skip_lines()
    tokens.take("}")
    return values
