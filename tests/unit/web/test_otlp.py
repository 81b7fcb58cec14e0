import pytest

from upcall.domain.errors import InvalidSecret
from upcall.web.otlp import parse_headers, traces_url


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("https://collector.example.com", "https://collector.example.com/v1/traces"),
        ("http://10.0.0.1:4318/", "http://10.0.0.1:4318/v1/traces"),
        ("https://example.com/otlp", "https://example.com/otlp/v1/traces"),
        ("https://example.com/otlp/v1/traces", "https://example.com/otlp/v1/traces"),
    ],
)
def test_the_path_of_traces_is_added_to_the_endpoint(endpoint: str, url: str) -> None:
    assert traces_url(endpoint) == url


@pytest.mark.parametrize(
    ("secret", "headers"),
    [
        ("api-key=abc", {"api-key": "abc"}),
        ("Authorization=Basic%20YTpi==", {"Authorization": "Basic YTpi=="}),
        ("Authorization=Bearer abc", {"Authorization": "Bearer abc"}),
        (" a = 1 , b = 2 ,", {"a": "1", "b": "2"}),
        ("a=1%2C2", {"a": "1,2"}),
    ],
)
def test_headers_are_names_and_percent_encoded_values(secret: str, headers: dict[str, str]) -> None:
    """As in the environment variable OTEL_EXPORTER_OTLP_HEADERS of OpenTelemetry's SDKs."""
    assert parse_headers("s", secret) == headers


@pytest.mark.parametrize(
    "secret",
    ["secretvalue", "a b=secretvalue", "=secretvalue", "a=", "a=secretvalue%0d%0ab:c", "a=%00secretvalue"],
)
def test_a_secret_that_holds_no_headers_is_invalid_and_not_quoted(secret: str) -> None:
    with pytest.raises(InvalidSecret, match="the secret otlp must be headers") as raised:
        parse_headers("otlp", secret)
    assert "secretvalue" not in str(raised.value)
