"""Settings changed by the piece: what is let through, and that nothing is half changed."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.config.differences import without_secrets
from orchestration.config.layers import Layers
from orchestration.config.merging import leaves, merged
from orchestration.config.models import Settings
from orchestration.config.reach import RULES, rule_for
from orchestration.config.versions import SettingsBook, merge_patched
from orchestration.errors import ConfigurationError, SettingsRefused

KEY = "a secret of the service"
WHISPER = {"url": "http://w:1", "kind": "openai", "api_key": KEY}

names = st.sampled_from("abcd")
values = st.none() | st.integers(0, 3) | st.lists(st.integers(0, 1), max_size=2)
layers = st.recursive(
    st.dictionaries(names, values, max_size=3),
    lambda inner: st.dictionaries(names, values | inner, max_size=3),
    max_leaves=8,
)


def book(**settings: Any) -> SettingsBook:
    return SettingsBook(Layers.of(Settings(data_dir=Path("/d"), **settings)))


def of_file(text: str, path: Path) -> Layers:
    path.write_text(text)
    return Layers.read({"HOME": "/home/ana"}, path)


def changed(one: SettingsBook, patch: Mapping[str, Any]) -> SettingsBook:
    one.take(one.patched(dict(patch)))
    return one


def faults(one: SettingsBook, patch: Mapping[str, Any]) -> dict[str, Any]:
    before = one.in_force
    with pytest.raises(SettingsRefused) as refusal:
        one.patched(dict(patch))
    assert one.in_force is before
    found = refusal.value.facts["faults"]
    assert isinstance(found, dict)
    return dict(found)


@given(layers, layers)
def test_a_patch_is_what_rfc_7396_says_but_for_empty_objects(one: Any, patch: Any) -> None:
    def by_the_rfc(target: Any, change: Any) -> Any:
        if not isinstance(change, dict):
            return change
        result = dict(target) if isinstance(target, dict) else {}
        for name, value in change.items():
            if value is None:
                result.pop(name, None)
            else:
                result[name] = by_the_rfc(result.get(name), value)
        return result

    expected = by_the_rfc(one, patch)
    assert dict(leaves(merge_patched(one, patch))) == dict(leaves(expected))


@given(layers, layers)
def test_a_patch_made_twice_is_made_once(one: Any, patch: Any) -> None:
    once = merge_patched(one, patch)
    assert merge_patched(once, patch) == once


def test_every_setting_has_a_rule_and_every_rule_a_setting() -> None:
    everything = [place for place, _ in leaves(Settings(data_dir=Path()).model_dump())]
    assert all(re.match(r"\w", rule_for(place).why) for place in everything)
    for place in RULES:
        assert any(one == place or one.startswith(f"{place}.") for one in everything), place
    for place in ("database.url", "server.port", "data_dir", "alerts.webhooks"):
        assert rule_for(place).reach == "restart"


def test_what_is_changed_lies_over_the_file_and_null_takes_it_away(tmp_path: Path) -> None:
    settings = "sessions: {max_open: 7, chunking: {chunk_ms: 6000}}"
    one = SettingsBook(of_file(settings, tmp_path / "c.yaml"))
    changed(one, {"sessions": {"max_open": 9, "chunking": {"overlap_ms": 3000}}})
    assert one.settings.sessions.max_open == 9
    assert one.settings.sessions.chunking.chunk_ms == 6000
    changed(one, {"sessions": {"max_open": None}})
    assert one.settings.sessions.max_open == 7
    assert one.in_force.overrides == {"sessions": {"chunking": {"overlap_ms": 3000}}}


def test_one_bad_value_keeps_all_the_others_out_and_every_fault_is_named() -> None:
    patch = {
        "sessions": {"max_open": 0, "warm_actors": 3, "chunking": {"overlap_ms": 3900}},
        "server": {"port": 4000},
        "nonsense": 1,
        "live": 3,
    }
    found = faults(book(), patch)
    assert set(found) == {
        "server.port",
        "nonsense",
        "sessions.max_open",
        "sessions.chunking",
        "live",
    }
    assert "restart" in found["server.port"]


@pytest.mark.parametrize(
    "patch",
    [
        {"services": {"whisper": [{**WHISPER, "api_key": "another"}]}},
        {"services": {"whisper": [{"url": "http://u:pw@w:1", "kind": "openai"}]}},
        {"alerts": {"webhooks": [{"url": "http://w", "secret": "x" * 16}]}},
        {"google_meet": {"credentials_json": "{}"}},
        {"server": {"api_key_sha256": "a" * 64}},
    ],
)
def test_secrets_are_refused(patch: dict[str, Any]) -> None:
    assert faults(book(services={"whisper": [WHISPER]}), patch)


@pytest.mark.parametrize(
    "upstreams",
    [
        [{"url": "nonsense", "kind": "openai"}],
        [{"url": "http://w:99999", "kind": "openai"}],
        [{"url": "http://w:1/", "kind": "openai"}, {"url": "http://w:1", "kind": "openai"}],
        [{"kind": "embedded"}],
        [{"url": "http://w:1", "kind": "openai", "weight": 0}],
    ],
)
def test_services_that_a_running_pool_would_not_take_are_refused(upstreams: list[Any]) -> None:
    one = book(services={"whisper": [WHISPER]})
    assert faults(one, {"services": {"whisper": upstreams}})


def test_the_embedded_engine_among_others_keeps_nothing_from_being_changed() -> None:
    one = book(services={"whisper": [WHISPER, {"kind": "embedded"}]})
    changed(one, {"sessions": {"max_open": 9}})
    weights = [{**WHISPER, "api_key": None, "weight": 2}, {"kind": "embedded"}]
    changed(one, {"services": {"whisper": weights}})
    assert (one.settings.sessions.max_open, one.settings.services.whisper[0].weight) == (9, 2)


def test_a_service_keeps_the_key_of_its_url_which_is_not_stored() -> None:
    one = book(services={"whisper": [WHISPER]})
    changed(one, {"services": {"whisper": [{"url": "http://w:1", "kind": "openai", "weight": 2}]}})
    (whisper,) = one.settings.services.whisper
    assert (whisper.api_key, whisper.weight) == (KEY, 2)
    assert KEY not in str(one.in_force.overrides)
    assert KEY not in str(one.in_force.differences)


def test_what_is_shown_may_be_sent_back_whole() -> None:
    one = book(services={"whisper": [WHISPER]}, server={"api_key_sha256": "a" * 64})
    shown = without_secrets(one.settings)
    shown["sessions"]["max_open"] = 12
    changed(one, shown)
    assert [change.place for change in one.in_force.differences] == ["sessions.max_open"]
    assert one.in_force.overrides == {"sessions": {"max_open": 12}}


def test_a_service_with_a_password_in_its_url_may_be_sent_back_as_it_was_shown() -> None:
    one = book(services={"whisper": [{"url": "http://u:pw@w:1", "kind": "openai"}]})
    changed(one, without_secrets(one.settings))
    assert one.in_force.overrides == {}


def test_of_all_that_is_imported_only_what_differs_from_the_file_is_stored() -> None:
    one = changed(book(), {"sessions": {"max_open": 12}, "live": {"replay_events": 5}})
    shown = without_secrets(one.settings)
    shown["live"]["replay_events"] = Settings(data_dir=Path("/d")).live.replay_events
    one.take(one.replaced(shown))
    assert one.in_force.overrides == {"sessions": {"max_open": 12}}


def test_a_value_that_is_stored_stays_when_it_is_sent_again() -> None:
    one = changed(book(), {"sessions": {"max_open": 12}})
    changed(one, {"sessions": {"max_open": 12}})
    assert one.in_force.overrides == {"sessions": {"max_open": 12}}


@pytest.mark.parametrize("patch", [{"a.b": 1}, {"sessions": 3, "sessions.x": 1}, {"": 1}])
def test_names_with_dots_are_refused(patch: dict[str, Any]) -> None:
    assert faults(book(), patch)


def test_numbers_that_json_cannot_hold_are_refused() -> None:
    assert faults(book(), {"ingest": {"hello_timeout_s": float("inf")}})


def test_overrides_are_reset_one_by_one_or_all() -> None:
    one = changed(book(), {"sessions": {"max_open": 9, "warm_actors": 2}, "log_level": "DEBUG"})
    one.take(one.reset(["sessions.max_open"]))
    assert (one.settings.sessions.max_open, one.settings.sessions.warm_actors) == (1000, 2)
    with pytest.raises(SettingsRefused):
        one.reset(["sessions.max_open"])
    one.take(one.reset(["sessions"]))
    assert one.in_force.overrides == {"log_level": "DEBUG"}
    one.take(one.reset(None))
    assert one.settings == book().settings


def test_what_the_file_says_of_a_port_waits_for_a_restart(tmp_path: Path) -> None:
    one = SettingsBook(of_file("server: {port: 4000}", tmp_path / "c.yaml"))
    text = "server: {port: 5000}\nsessions: {max_open: 5}"
    one.take(one.with_layers(of_file(text, tmp_path / "c.yaml")))
    assert (one.settings.server.port, one.settings.sessions.max_open) == (4000, 5)
    assert [(it.place, it.after) for it in one.in_force.after_restart] == [("server.port", 5000)]


def test_a_file_that_does_not_go_with_what_is_stored_is_refused(tmp_path: Path) -> None:
    one = SettingsBook(of_file("", tmp_path / "c.yaml"))
    changed(one, {"sessions": {"chunking": {"overlap_ms": 3000}}})
    layers = of_file("sessions: {chunking: {chunk_ms: 3200}}", tmp_path / "c.yaml")
    with pytest.raises(SettingsRefused):
        one.with_layers(layers)
    assert one.settings.sessions.chunking.overlap_ms == 3000


PATCHES = st.fixed_dictionaries(
    {},
    optional={
        "chunk_ms": st.integers(0, 30_000) | st.none(),
        "overlap_ms": st.integers(0, 11_000) | st.none(),
        "guard_ms": st.integers(0, 6000) | st.none(),
        "max_chunk_ms": st.integers(0, 31_000) | st.none(),
    },
)


@given(st.lists(PATCHES, max_size=12))
def test_whatever_is_tried_what_holds_is_valid_and_what_is_refused_changes_nothing(
    patches: list[dict[str, Any]],
) -> None:
    one = book()
    for chunking in patches:
        before, held = one.in_force, dict(one.in_force.overrides)
        wanted = merge_patched(held, {"sessions": {"chunking": chunking}})
        try:
            expected = Settings.model_validate(merged({"data_dir": Path("/d")}, wanted))
        except ValueError:
            assert faults(one, {"sessions": {"chunking": chunking}})
            assert one.in_force is before
            continue
        changed(one, {"sessions": {"chunking": chunking}})
        assert one.settings == expected


def test_layers_alone_must_do() -> None:
    with pytest.raises(ConfigurationError):
        SettingsBook(Layers({"data_dir": "/d"}, None, {"sessions": {"max_open": 0}}, {}))
