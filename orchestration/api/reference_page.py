"""`/docs`: the HTTP API's reference, rendered here from its OpenAPI description.

The usual pages for this load scripts from another host, which a closed network does not reach and
the content policy does not allow. This one is plain HTML.
"""

import json
import re
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

REFERENCE_POLICY = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)

_STYLE = """
body { margin: 0 auto; padding: 32px 20px 80px; max-width: 860px; background: #0c0f14;
  color: #d8dce3; font: 15px/1.55 system-ui, sans-serif; }
h1 { font-size: 26px; margin: 0 0 4px; } h2 { margin: 40px 0 8px; font-size: 19px; }
a { color: #8ab4f8; } code { font: 13px/1.5 ui-monospace, monospace; }
details { border: 1px solid #262c36; border-radius: 8px; margin: 8px 0; padding: 8px 14px; }
summary { cursor: pointer; overflow-wrap: anywhere; } summary span { display: block;
  color: #98a2b3; }
b.method { display: inline-block; min-width: 62px; color: #9ad29a; }
table { border-collapse: collapse; width: 100%; margin: 8px 0; display: block; overflow-x: auto; }
td, th { text-align: left; padding: 4px 14px 4px 0; vertical-align: top; }
pre { margin: 4px 0; padding: 8px 10px; max-height: 320px; overflow: auto; border-radius: 6px;
  background: #11151c; font: 12px/1.45 ui-monospace, monospace; }
th { color: #98a2b3; font-weight: 500; }
"""

_SOCKETS = (
    ("/ws/ingest/{session_id}", "A bot's audio and facts come in here."),
    ("/ws/live/{session_id}?after=SEQ", "A session's transcript and events, as they grow."),
    ("/socket.io", "Both for clients of Socket.IO, over its WebSocket transport."),
)


def reference_page(api: Mapping[str, Any]) -> str:
    """The page for an OpenAPI 3.1 description."""
    info = api["info"]
    parts = [
        f"<h1>{escape(info['title'])} <small>{escape(info['version'])}</small></h1>",
        f"<p>{escape(info.get('summary', ''))} Errors are RFC 9457 problems. "
        "<a href='/openapi.json'>openapi.json</a></p>",
    ]
    for tag, operations in _by_tag(api).items():
        parts.append(f"<h2>{escape(tag)}</h2>")
        parts.extend(operations)
    parts.append("<h2>WebSockets</h2>")
    for path, purpose in _SOCKETS:
        parts.append(f"<p><code>{escape(path)}</code><br>{escape(purpose)}</p>")
    parts.append("<h2>Shapes</h2>")
    for name, schema in api.get("components", {}).get("schemas", {}).items():
        parts.append(_shape(name, schema))
    body = "\n".join(parts)
    return (
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        "<link rel='icon' href='/static/icon.svg' type='image/svg+xml'>"
        f"<title>{escape(info['title'])} API</title><style>{_STYLE}</style></head>"
        f"<body><main>\n{body}\n</main></body></html>\n"
    )


def _by_tag(api: Mapping[str, Any]) -> dict[str, list[str]]:
    tags: dict[str, list[str]] = {}
    for path, methods in api["paths"].items():
        for method, operation in methods.items():
            tag = operation.get("tags", ["other"])[0]
            tags.setdefault(tag, []).append(_operation(path, method, operation))
    return tags


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> str:
    described = _prose(operation.get("description", operation.get("summary", "")))
    parameters = [_parameter(one) for one in operation.get("parameters", [])]
    body = operation.get("requestBody", {}).get("content", {})
    answers = "".join(
        f"<tr><td><code>{escape(status)}</code></td><td>{_prose(answer['description'])}</td>"
        f"<td>{_contents(answer.get('content', {}))}{_examples(answer.get('content', {}))}</td>"
        "</tr>"
        for status, answer in operation.get("responses", {}).items()
    )
    return (
        f"<details><summary><b class='method'>{method.upper()}</b> <code>{escape(path)}</code> "
        f"<span>{described}</span></summary>"
        + _table(parameters)
        + (f"<p>Body: {_contents(body)}</p>{_examples(body)}" if body else "")
        + f"<table>{answers}</table></details>"
    )


def _parameter(parameter: Mapping[str, Any]) -> tuple[str, str, Mapping[str, Any]]:
    note = parameter["in"] + (", required" if parameter.get("required") else "")
    if "example" in parameter:
        note += f", as {parameter['example']}"
    return parameter["name"], note, parameter["schema"]


def _examples(content: Mapping[str, Any]) -> str:
    """An example of each media type; of problems, which there are."""
    shown = []
    for media in content.values():
        if (example := media.get("example")) is not None:
            text = (
                example
                if isinstance(example, str)
                else json.dumps(example, ensure_ascii=False, indent=1)
            )
            shown.append(f"<pre>{escape(text)}</pre>")
        for code, problem in media.get("examples", {}).items():
            detail = _prose(str(problem["value"].get("detail", "")))
            shown.append(f"<br><code>{escape(code)}</code> {detail}")
    return "".join(shown)


def _prose(text: str) -> str:
    """A docstring's text, with what stands between its backticks as code."""
    return re.sub(r"`+([^`]+)`+", r"<code>\1</code>", escape(text))


def _contents(content: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{escape(media_type)} {_type(media.get('schema', {}))}".strip()
        for media_type, media in content.items()
    )


def _shape(name: str, schema: Mapping[str, Any]) -> str:
    required = schema.get("required", [])
    rows = [
        (field, "required" if field in required else "", one)
        for field, one in schema.get("properties", {}).items()
    ]
    described = _prose(schema.get("description", ""))
    return (
        f"<details id='{escape(name)}'><summary><code>{escape(name)}</code> "
        f"<span>{described}</span></summary>{_table(rows)}</details>"
    )


def _table(rows: list[tuple[str, str, Mapping[str, Any]]]) -> str:
    return (
        "<table>"
        + "".join(
            f"<tr><td><code>{escape(name)}</code></td><td>{escape(note)}</td>"
            f"<td>{_type(schema)}</td><td>{_prose(schema.get('description', ''))}</td></tr>"
            for name, note, schema in rows
        )
        + "</table>"
    )


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        name = escape(str(schema["$ref"]).rsplit("/", 1)[-1])
        return f"<a href='#{name}'>{name}</a>"
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(f"<code>{escape(str(one))}</code>" for one in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    limits = ", ".join(_limits(schema))
    return escape(str(schema.get("type", ""))) + (f" ({limits})" if limits else "")


def _limits(schema: Mapping[str, Any]) -> Iterator[str]:
    for key, said in (
        ("minimum", "at least"),
        ("maximum", "at most"),
        ("maxLength", "characters at most"),
        ("pattern", "like"),
        ("default", "by default"),
    ):
        if schema.get(key) not in (None, "", [], {}):
            yield f"{said} {escape(str(schema[key]))}"
