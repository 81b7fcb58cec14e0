"""The OpenAI SDK over real connections, with the API key from the stack's secret."""

from collections.abc import Mapping

import pytest
from support.canned_server import canned_server, json_response

from local.lambda_runtime import function_environment
from local.stack import LocalStack
from upcall.domain.errors import TransientError
from upcall.run_apis import client


@pytest.fixture
def environment(local_stack: LocalStack) -> Mapping[str, str]:
    return local_stack.deployed.functions["PollRunFunction"].environment


def test_a_request_carries_the_api_key_of_the_secret_and_the_json(environment: Mapping[str, str]) -> None:
    with canned_server(json_response({"id": "resp_1"})) as server:
        with function_environment({**environment, "OPENAI_BASE_URL": f"{server.url}/v1"}):
            response = client.post("/responses", {"model": "m"})

    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/v1/responses")
    assert request.headers["Authorization"] == "Bearer none"
    assert request.json == {"model": "m"}
    assert response.body == {"id": "resp_1"}


def test_a_refused_connection_raises_transient_error(environment: Mapping[str, str]) -> None:
    with function_environment({**environment, "OPENAI_BASE_URL": "http://127.0.0.1:1/v1"}):
        with pytest.raises(TransientError, match="GET /x"):
            client.get("/x")
