"""SendTaskSuccess as Step Functions answers it. moto accepts every token."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber

from upcall.aws import step_functions
from upcall.domain.errors import TransientError

TOKEN = "token"  # noqa: S105  # of a test
OUTPUT = {"status": "completed", "message": "Grüße 😀"}


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Any:
    client = boto3.client(
        "stepfunctions",
        region_name="us-east-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",  # noqa: S106  # of a test
    )
    monkeypatch.setattr(step_functions, "get_client", lambda: client)
    return client


@pytest.fixture
def service(client: Any) -> Iterator[Stubber]:
    with Stubber(client) as stubber:
        yield stubber


def test_a_task_that_waits_is_completed_with_its_output_as_json(service: Stubber) -> None:
    service.add_response("send_task_success", {}, {"taskToken": TOKEN, "output": json.dumps(OUTPUT)})

    assert step_functions.complete_task(TOKEN, OUTPUT)
    service.assert_no_pending_responses()


@pytest.mark.parametrize("code", ["TaskTimedOut", "TaskDoesNotExist", "InvalidToken"])
def test_a_task_that_waits_no_longer_is_not_completed(service: Stubber, code: str) -> None:
    service.add_client_error("send_task_success", code)

    assert not step_functions.complete_task(TOKEN, OUTPUT)


@pytest.mark.parametrize("code", ["ThrottlingException", "InternalServerError", "InvalidOutput"])
def test_any_other_error_of_the_service_is_transient_and_shows_no_token(service: Stubber, code: str) -> None:
    service.add_client_error("send_task_success", code, f"about {TOKEN}")

    with pytest.raises(TransientError, match="^SendTaskSuccess: ClientError$|^SendTaskSuccess: Invalid"):
        step_functions.complete_task(TOKEN, OUTPUT)


def test_a_service_that_cannot_be_reached_is_a_transient_error(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: object) -> None:
        raise EndpointConnectionError(endpoint_url="https://states.us-east-1.amazonaws.com")

    monkeypatch.setattr(client, "send_task_success", fail)

    with pytest.raises(TransientError, match="^SendTaskSuccess: EndpointConnectionError$"):
        step_functions.complete_task(TOKEN, OUTPUT)
