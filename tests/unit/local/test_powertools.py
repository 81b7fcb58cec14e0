"""Functions of one process resolve HTTP requests at the same time."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

import pytest
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.event_handler.api_gateway import ApiGatewayResolver, BaseRouter
from aws_lambda_powertools.event_handler.openapi.params import Body

from local.powertools import isolate_requests


def request(path: str, body: str) -> dict[str, Any]:
    http = {"method": "POST", "path": path, "sourceIp": "127.0.0.1"}
    return {
        "version": "2.0",
        "rawPath": path,
        "body": body,
        "headers": {"content-type": "application/json"},
        "requestContext": {"http": http, "stage": "$default", "requestId": body},
    }


def echo(barrier: threading.Barrier) -> APIGatewayHttpResolver:
    """A resolver that returns the body of a request once all requests of the barrier have begun."""
    app = APIGatewayHttpResolver(enable_validation=True)

    @app.post("/echo")
    def respond(text: Annotated[str, Body(embed=True)]) -> dict[str, str]:
        return {"text": text}

    validate = app._request_validation_middleware

    def wait_and_validate(app: ApiGatewayResolver, next_middleware: Any) -> Any:
        barrier.wait(timeout=10)  # before the request is read
        return validate(app, next_middleware)

    vars(app)["_request_validation_middleware"] = wait_and_validate
    return app


def resolve(app: APIGatewayHttpResolver, text: str) -> str:
    response = app.resolve(request("/echo", json.dumps({"text": text})), None)  # type: ignore[arg-type]
    return str(json.loads(response["body"])["text"])


@pytest.mark.parametrize("functions", [1, 2])
def test_concurrent_requests_do_not_see_each_other(functions: int) -> None:
    """Of one function, and of two, which share a class attribute of Powertools."""
    barrier = threading.Barrier(2)
    apps = [echo(barrier) for _ in range(functions)]
    for app in apps:
        isolate_requests(app)

    with ThreadPoolExecutor(2) as threads:
        results = list(threads.map(resolve, [apps[0], apps[-1]], ["one", "two"]))

    assert results == ["one", "two"]


def test_a_route_that_reads_the_current_event_sees_its_own() -> None:
    barrier = threading.Barrier(2)
    app = APIGatewayHttpResolver()

    @app.post("/echo")
    def respond() -> dict[str, str]:
        barrier.wait(timeout=10)
        return {"text": json.loads(app.current_event.body or "")["text"]}

    isolate_requests(app)

    with ThreadPoolExecutor(2) as threads:
        results = list(threads.map(resolve, [app, app], ["one", "two"]))

    assert results == ["one", "two"]


def test_requests_are_isolated_once() -> None:
    app = echo(threading.Barrier(1))
    isolate_requests(app)
    isolated = app.resolve
    isolate_requests(app)

    assert app.resolve is isolated
    assert resolve(app, "one") == "one"


def test_powertools_shares_the_current_request() -> None:
    """Why requests are isolated."""
    app = echo(threading.Barrier(1))
    resolve(app, "one")

    assert json.loads(BaseRouter.current_event.body or "") == {"text": "one"}
