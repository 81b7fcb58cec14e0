"""The API's answers to what it cannot take: problem documents that name the field and the reason."""

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from support.sample_events import Invoke, sample

from handlers import start_run
from local.lambda_runtime import function_environment
from local.stack import LocalStack
from upcall.lambda_runtime.http_api import problem, problems


def answer(invoke: Invoke, **changes: Any) -> tuple[int, dict[str, Any], str]:
    response = invoke("StartRunFunction", sample("start_run", **changes))
    return response["statusCode"], json.loads(response["body"]), response["headers"]["Content-Type"]


@pytest.mark.parametrize(
    ("body", "field", "reason"),
    [
        ("", "body", "Field required"),
        ("{", "body", "Invalid JSON"),
        ("prompt=hello", "body", "Invalid JSON"),
        ("[]", "body", "should be an object"),
        ("null", "body", "Field required"),
        ("{}", "prompt", "is required, or input"),
        ('{"prompt": ""}', "prompt", "must not be empty"),
        ('{"prompt": 7}', "prompt", "valid string"),
        ('{"prompt": null}', "prompt", "is required, or input"),
        ('{"prompt": "x", "colour": "red"}', "colour", "Extra inputs are not permitted"),
        ('{"prompt": "x", "assistant": "nobody"}', "assistant", "there is no assistant 'nobody'"),
        ('{"prompt": "x", "model": ""}', "model", "at least 1 character"),
        (json.dumps({"prompt": "x" * 102_401}), "prompt", "at most 102,400 bytes"),
        ('{"prompt": "\\ud800"}', "", ""),
    ],
)
def test_a_bad_body_is_a_problem_that_names_the_field(
    invoke: Invoke, body: str, field: str, reason: str
) -> None:
    status, document, content_type = answer(invoke, body=body)

    assert status == 400
    assert content_type == "application/problem+json"
    assert document["title"] == "Bad Request"
    assert document["status"] == 400
    (error,) = document["errors"]
    assert error["field"] == field or not field
    assert reason in error["reason"]
    assert error["reason"] in document["detail"]


@pytest.mark.parametrize(
    ("status", "title"),
    [
        (HTTPStatus.CONFLICT, "Conflict"),
        (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Content Too Large"),
        (HTTPStatus.UNPROCESSABLE_ENTITY, "Unprocessable Content"),
    ],
)
def test_a_title_is_the_standards_and_not_that_of_this_python(status: HTTPStatus, title: str) -> None:
    """RFC 9110 renamed two, and Python followed with 3.13."""
    body = problem(status, "so").body

    assert json.loads(body or "")["title"] == title
    assert problems(status)[status.value]["description"] == title


def test_every_field_that_is_wrong_is_named(invoke: Invoke) -> None:
    _, document, _ = answer(invoke, body='{"prompt": "", "modle": "m"}')

    assert {error["field"] for error in document["errors"]} == {"prompt", "modle"}


def test_a_body_that_is_not_utf_8_is_a_problem(invoke: Invoke) -> None:
    body = base64.b64encode(b'{"prompt": "\xff"}').decode()
    status, problem, _ = answer(invoke, body=body, isBase64Encoded=True)

    assert (status, problem["errors"]) == (400, [{"field": "body", "reason": "is not UTF-8"}])


def test_a_form_type_is_no_hindrance_for_json(invoke: Invoke) -> None:
    """`curl -d` calls everything a form, and API Gateway encodes forms in base 64."""
    body = base64.b64encode(b'{"prompt": "Hello."}').decode()
    headers = {"content-type": "application/x-www-form-urlencoded"}
    status, accepted, _ = answer(invoke, body=body, headers=headers, isBase64Encoded=True)

    assert status == 202
    assert accepted["status"] == "queued"


def test_a_route_that_is_not_there_is_a_problem(invoke: Invoke) -> None:
    event = sample("get_run", rawPath="/nowhere", routeKey="GET /nowhere")
    event["requestContext"]["http"]["path"] = "/nowhere"
    response = invoke("GetRunFunction", event)

    assert response["statusCode"] == 404
    assert json.loads(response["body"])["title"] == "Not Found"


def test_a_fault_of_ours_is_a_problem_without_our_internals(laptop: LocalStack) -> None:
    function = laptop.stack.functions["StartRunFunction"]
    environment = {**function.environment}
    del environment["MODEL"]
    with function_environment(environment):
        response = start_run.lambda_handler(sample("start_run"), LambdaContext())

    assert response["statusCode"] == 500
    assert json.loads(response["body"])["detail"] == "the fault is ours; it has been logged"


def test_requests_at_once_do_not_read_each_others_bodies(invoke: Invoke) -> None:
    """On a laptop they share a process, and Powertools' resolver is made for one at a time."""

    def prompt_is_refused(number: int) -> bool:
        body = json.dumps({"prompt": "x", f"field_{number}": 1})
        _, problem, _ = answer(invoke, body=body)
        return bool(
            problem["errors"] == [{"field": f"field_{number}", "reason": "Extra inputs are not permitted"}]
        )

    with ThreadPoolExecutor(50) as pool:
        assert all(pool.map(prompt_is_refused, range(500)))
