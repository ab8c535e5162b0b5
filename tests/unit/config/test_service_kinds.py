import pytest
from pydantic import ValidationError

from orchestration.config.service_models import ServicesSettings


@pytest.mark.parametrize(
    ("pool", "kind"), [("whisper", "libretranslate"), ("translation", "openai")]
)
def test_a_service_of_a_kind_that_its_pool_cannot_use_is_refused(pool: str, kind: str) -> None:
    with pytest.raises(ValidationError, match="are of the kinds"):
        ServicesSettings.model_validate({pool: [{"url": "http://127.0.0.1", "kind": kind}]})


@pytest.mark.parametrize(
    ("pool", "kind"), [("whisper", "openai"), ("translation", "libretranslate")]
)
def test_livetranslate_services_stand_in_either_pool_with_others(pool: str, kind: str) -> None:
    services = [{"url": f"http://{one}", "kind": one} for one in (kind, "livetranslate")]
    settings = ServicesSettings.model_validate({pool: services})
    assert [one.kind for one in getattr(settings, pool)] == [kind, "livetranslate"]


@pytest.mark.parametrize("url", ["gpu-1:8000", "ftp://gpu-1", "http:/gpu-1", "https:///v1"])
def test_a_services_url_is_of_http_and_is_not_repeated(url: str) -> None:
    service = {"url": url, "kind": "openai"}
    with pytest.raises(ValidationError, match="must begin with http:// or https://") as refused:
        ServicesSettings.model_validate({"whisper": [service]})
    (fault,) = refused.value.errors(include_input=False)
    assert url not in fault["msg"]


@pytest.mark.parametrize("url", ["http://w:99999", "http://u:p/w@gpu-1", "http://[::1"])
def test_a_services_url_has_a_port_that_there_is(url: str) -> None:
    with pytest.raises(ValidationError, match="host or port that none can have"):
        ServicesSettings.model_validate({"translation": [{"url": url, "kind": "libretranslate"}]})


@pytest.mark.parametrize(
    "services",
    [
        [{"url": "http://w:1/", "kind": "openai"}, {"url": "http://u:p@w:1", "kind": "openai"}],
        [{"kind": "embedded"}, {"kind": "embedded"}],
    ],
)
def test_a_service_that_is_named_twice_is_refused_before_anything_starts(
    services: list[dict[str, str]],
) -> None:
    with pytest.raises(ValidationError, match="named once"):
        ServicesSettings.model_validate({"whisper": services})


@pytest.mark.parametrize("path", ["health", "/", "/a b", "/a?key=1", "http://elsewhere/health"])
def test_a_health_route_is_a_path_on_the_service_itself(path: str) -> None:
    service = {"url": "http://127.0.0.1", "kind": "openai", "health_path": path}
    with pytest.raises(ValidationError, match="health_path"):
        ServicesSettings.model_validate({"whisper": [service]})
