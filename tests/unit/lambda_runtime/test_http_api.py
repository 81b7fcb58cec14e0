"""Invalid requests, and the problem documents that answer them. They name the field and the reason."""

import base64
import json
from http import HTTPStatus
from typing import Any

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from support.fakes.run_repository import InMemoryRunRepository
from support.fakes.workflow import InMemoryWorkflow
from support.log_capture import capture_logs
from support.sample_events import sample_event

from handlers import get_run, start_run
from handlers.start_run import RunAccepted
from upcall.lambda_runtime.http_api import MAX_BODY_BYTES, describe_responses, problem_response


@pytest.fixture(autouse=True)
def _start_run_without_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "TENANCY": "one",
        "MODEL": "m",
        "RUN_API": "responses",
        "DEFAULT_QUOTA": "{}",
    }.items():
        monkeypatch.setenv(name, value)
    repository = InMemoryRunRepository()
    monkeypatch.setattr(start_run, "run_repository", lambda: repository)
    monkeypatch.setattr(start_run, "step_functions", InMemoryWorkflow())


def post_run(**changes: Any) -> tuple[int, dict[str, Any], str]:
    """Status, document and content type of the response to POST /runs."""
    response = start_run.lambda_handler(sample_event("start_run", **changes), LambdaContext())
    headers = {name.lower(): value for name, value in response["headers"].items()}
    return response["statusCode"], json.loads(response["body"]), headers["content-type"]


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
        ('{"prompt": "x", "limits": {"rounds": ' + "9" * 5000 + "}}", "body", "a number of too many digits"),
        ("[" * 100_000, "body", "is nested too deeply"),
    ],
)
def test_an_invalid_body_is_a_problem_that_names_the_field(body: str, field: str, reason: str) -> None:
    status, document, content_type = post_run(body=body)

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
def test_a_title_is_the_same_on_every_python(status: HTTPStatus, title: str) -> None:
    """RFC 9110 renamed two statuses, and Python follows it from 3.13 on."""
    body = problem_response(status, "a detail").body
    described = describe_responses(HTTPStatus.OK, RunAccepted, "A view.", status)

    assert json.loads(body or "")["title"] == title
    assert described[status.value]["description"] == title


def test_every_invalid_field_is_named() -> None:
    _, document, _ = post_run(body='{"prompt": "", "modle": "m"}')

    assert {error["field"] for error in document["errors"]} == {"prompt", "modle"}


def test_a_body_that_is_not_utf_8_is_a_problem() -> None:
    body = base64.b64encode(b'{"prompt": "\xff"}').decode()
    status, document, _ = post_run(body=body, isBase64Encoded=True)

    assert (status, document["errors"]) == (400, [{"field": "body", "reason": "is not UTF-8"}])


def test_a_body_that_is_too_large_is_a_problem() -> None:
    status, document, content_type = post_run(body=" " * (MAX_BODY_BYTES + 1))

    assert (status, content_type) == (413, "application/problem+json")
    assert document["detail"] == "the body is larger than 1,000,000 bytes"


def test_json_is_accepted_under_the_content_type_of_a_form() -> None:
    """`curl -d` sends everything as a form, and API Gateway encodes forms in base 64."""
    body = base64.b64encode(b'{"prompt": "Hello."}').decode()
    headers = {"content-type": "application/x-www-form-urlencoded"}
    status, accepted, _ = post_run(body=body, headers=headers, isBase64Encoded=True)

    assert status == 202
    assert accepted["status"] == "queued"


def test_an_unknown_route_is_a_problem() -> None:
    event = sample_event("get_run", rawPath="/nowhere", routeKey="GET /nowhere")
    event["requestContext"]["http"]["path"] = "/nowhere"
    response = get_run.lambda_handler(event, LambdaContext())

    assert response["statusCode"] == 404
    assert json.loads(response["body"])["title"] == "Not Found"


def test_an_internal_error_is_a_problem_without_internals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MODEL")
    with capture_logs() as lines:
        status, document, _ = post_run()

    assert status == 500
    assert document["detail"] == "internal error; it has been logged"
    assert [line["message"] for line in lines.parsed] == ["request failed"]


def request_context(authorizer: object) -> dict[str, Any]:
    context: dict[str, Any] = sample_event("start_run")["requestContext"]
    return {**context, "authorizer": authorizer}


@pytest.mark.parametrize(
    ("authorizer", "detail"),
    [
        (
            {"jwt": {"claims": {"iss": "https://a.test", "client_id": "a"}}},
            "the token has no claim sub, which identifies the caller",
        ),
        ({"iam": {"accountId": "1"}}, "the request's signature names neither a user nor a role"),
        ({"lambda": {}}, "the authorizer does not say who the caller is"),
    ],
    ids=["a token", "a signature", "a Lambda authorizer"],
)
def test_a_caller_who_cannot_be_told_from_others_is_refused_with_the_reason(
    authorizer: object, detail: str
) -> None:
    status, document, content_type = post_run(requestContext=request_context(authorizer))

    assert (status, content_type) == (403, "application/problem+json")
    assert document == {"title": "Forbidden", "status": 403, "detail": detail, "type": "about:blank"}


def test_a_caller_with_a_name_is_served() -> None:
    authorizer = {"jwt": {"claims": {"iss": "https://a.test", "sub": "ann"}}}

    assert post_run(requestContext=request_context(authorizer))[0] == 202


def test_a_byte_order_mark_before_a_body_is_ignored() -> None:
    body = base64.b64encode(b'\xef\xbb\xbf{"prompt": "Hello."}').decode()

    assert post_run(body=body, isBase64Encoded=True)[0] == 202
    assert post_run(body='\ufeff{"prompt": "Hello."}')[0] == 202
