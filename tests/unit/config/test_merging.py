"""Layers of settings add up, and differ, in ways one can rely on."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.config.differences import Difference, differences, without_secrets
from orchestration.config.merging import leaves, merged, nested
from orchestration.config.models import Settings
from orchestration.config.secrets import HIDDEN, has_password
from orchestration.config.seed_layout import from_seed_layout

NAMES = st.sampled_from(["a", "b", "c"])
LAYERS: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.dictionaries(NAMES, st.integers()), lambda inner: st.dictionaries(NAMES, inner), max_leaves=9
)
BASE = Settings(data_dir=Path("/d"))


def changed(**values: Any) -> Settings:
    return Settings.model_validate(merged(BASE.model_dump(), nested(values)))


@given(LAYERS, LAYERS, LAYERS)
def test_layers_may_be_laid_one_by_one(
    first: dict[str, Any], second: dict[str, Any], third: dict[str, Any]
) -> None:
    assert merged(merged(first, second), third) == merged(first, second, third)


@given(LAYERS, LAYERS)
def test_every_value_of_the_later_layer_stands(
    below: dict[str, Any], above: dict[str, Any]
) -> None:
    result = dict(leaves(merged(below, above)))
    assert all(result[place] == value for place, value in leaves(above))


@given(LAYERS)
def test_merging_leaves_the_layers_as_they_are(layer: dict[str, Any]) -> None:
    copy = merged(layer)
    merged(layer, {"a": {"b": {"c": 1}}})
    assert layer == copy


def test_lists_are_taken_whole() -> None:
    assert merged({"urls": [1, 2]}, {"urls": [3]}) == {"urls": [3]}


def test_settings_do_not_differ_from_themselves() -> None:
    assert differences(BASE, changed()) == ()


def test_a_difference_says_where_and_what() -> None:
    after = changed(**{"sessions.chunking.chunk_ms": 5000})
    assert differences(BASE, after) == (Difference("sessions.chunking.chunk_ms", 4000, 5000),)


def test_secrets_are_compared_but_never_shown() -> None:
    secret, other = "1" * 64, "2" * 64
    keyed = changed(**{"server.api_key_sha256": secret})
    rekeyed = changed(**{"server.api_key_sha256": other})
    assert differences(BASE, keyed)[0] == Difference("server.api_key_sha256", None, HIDDEN)
    assert differences(keyed, rekeyed)[0] == Difference("server.api_key_sha256", HIDDEN, HIDDEN)
    assert secret not in str(without_secrets(keyed))


def test_passwords_in_urls_and_keys_of_services_are_hidden() -> None:
    settings = changed(
        **{
            "database.url": "postgresql://u:hunter2@db/x?password=hunter3&sslmode=require",
            "services.whisper": [{"url": "http://w", "kind": "openai", "api_key": "hunter4"}],
            "google_meet.credentials_json": '{"private_key": "hunter5"}',
        }
    )
    shown = str(without_secrets(settings)) + str(differences(BASE, settings))
    assert "hunter" not in shown + repr(settings)
    assert "sslmode=require" in shown


@pytest.mark.parametrize(
    "url",
    [
        "https://hunter2@gpu.example/v1",
        "https://:hunter2@gpu.example",
        "http://gpu.example/?api_key=hunter2&version=2",
        "http://gpu.example/?version=2&Token=hunter2",
        "http://gpu.example/?api-key=hunter2#top",
    ],
)
def test_a_services_url_is_shown_without_the_key_in_it(url: str) -> None:
    settings = changed(**{"services.whisper": [{"url": url, "kind": "openai"}]})
    shown = str(without_secrets(settings)) + str(differences(BASE, settings))
    assert "hunter" not in shown
    assert "gpu.example" in shown
    assert has_password(url)


@pytest.mark.parametrize(
    "url", ["postgresql://meetings@db/x?sslmode=require", "http://gpu.example/v1?keyboard=us"]
)
def test_a_user_or_another_parameter_is_no_secret(url: str) -> None:
    assert not has_password(url)


def test_the_first_layout_of_files_is_understood() -> None:
    layer, without_effect = from_seed_layout(
        {
            "orchestration": {"service_name": "orchestration-service", "version": "2.0.0"},
            "frontend": {"host": "127.0.0.1", "port": 3001, "workers": 4},
            "websocket": {"max_connections": 9, "connection_timeout": 60, "heartbeat_interval": 25},
            "gateway": {"timeout": 20, "retries": 2, "circuit_breaker_threshold": 7},
            "monitoring": {"health_check_interval": 5, "auto_recovery": False},
            "services": {
                "whisper": {"url": "http://w:5001", "health_endpoint": "/health"},
                "translation": {"url": "http://t:5003", "health_endpoint": "/api/health"},
            },
        }
    )
    settings = Settings.model_validate(merged({"data_dir": "/d"}, layer))
    assert (settings.server.port, settings.server.ingress_replicas) == (3001, 4)
    assert settings.server.websocket_max_connections == 9
    assert settings.server.websocket_idle_timeout_s == 60
    assert (settings.services.gateway_timeout_s, settings.services.tries) == (20, 2)
    assert settings.services.health_check_interval_s == 5
    assert settings.services.whisper[0].url == "http://w:5001"
    assert settings.services.translation[0].kind == "libretranslate"
    assert settings.server.socket_io_ping_interval_s == 25
    assert settings.services.balancing.eject_after == 7
    assert settings.services.auto_recovery is False
    assert without_effect == ("orchestration.service_name", "orchestration.version")
    paths = [settings.services.whisper[0].health_path, settings.services.translation[0].health_path]
    assert paths == ["/health", "/api/health"]


def test_a_health_endpoint_of_no_service_has_no_effect() -> None:
    layer, without_effect = from_seed_layout({"services": {"whisper": {"health_endpoint": "/x"}}})
    assert (layer, without_effect) == ({"services": {}}, ("services.whisper.health_endpoint",))


def test_values_at_todays_places_win_and_unknown_ones_stay_to_be_refused() -> None:
    layer, _ = from_seed_layout(
        {"frontend": {"port": 1, "colour": "red"}, "server": {"port": 2}, "services": None}
    )
    assert layer == {"frontend": {"colour": "red"}, "server": {"port": 2}, "services": None}


def test_secrets_of_webhooks_are_hidden() -> None:
    hook = {"url": "https://pager.example/hook", "secret": "correct horse battery"}
    settings = changed(**{"alerts.webhooks": [hook]})
    shown = str(without_secrets(settings)) + str(differences(BASE, settings))
    assert hook["secret"] not in shown + repr(settings)
    assert "pager.example" in shown
