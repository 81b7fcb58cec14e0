"""API Gateway on a laptop: what requests become, what answers become."""

import httpx
import pytest

from local.stack import LocalStack
from local.template import Template


def test_the_routes_are_those_of_the_template() -> None:
    routes = {(route.method, route.path, route.function) for route in Template().routes()}

    assert routes == {
        ("POST", "/runs", "StartRunFunction"),
        ("GET", "/runs", "ListRunsFunction"),
        ("GET", "/runs/{run_id}/calls", "ListCallsFunction"),
        ("GET", "/tools", "ListToolsFunction"),
        ("GET", "/assistants", "ListAssistantsFunction"),
        ("GET", "/openapi.json", "DescribeApiFunction"),
        ("GET", "/health", "DescribeApiFunction"),
        ("GET", "/runs/{run_id}", "GetRunFunction"),
        ("POST", "/runs/{run_id}/cancel", "CancelRunFunction"),
        ("POST", "/runs/{run_id}/retry", "RetryRunFunction"),
    }


@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("GET", "/nowhere"), ("DELETE", "/runs")])
def test_a_route_that_does_not_exist_is_answered_by_the_gateway(
    laptop: LocalStack, method: str, path: str
) -> None:
    answer = httpx.request(method, laptop.addresses.api + path)

    assert (answer.status_code, answer.json()) == (404, {"message": "Not Found"})


def test_curl_with_no_content_type_to_speak_of_starts_a_run(laptop: LocalStack) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = httpx.post(f"{laptop.addresses.api}/runs", content='{"prompt": "Hallo ä"}', headers=headers)

    assert answer.status_code == 202
    shown = httpx.get(laptop.addresses.api + answer.headers["location"])
    assert shown.json()["prompt"] == "Hallo ä"


def test_a_body_over_the_gateways_limit_never_reaches_a_function(laptop: LocalStack) -> None:
    answer = httpx.post(f"{laptop.addresses.api}/runs", content=b"x" * 10_000_001)

    assert (answer.status_code, answer.json()) == (413, {"message": "Request Entity Too Large"})
