"""What `upcall doctor` finds about the secrets of a stack."""

import json
import time
import uuid
from typing import Any

import boto3
import pytest
from support.doctor import findings, messages, statuses, with_parameters
from werkzeug.wrappers import Request, Response

from cli.doctor import secret_checks
from cli.doctor.deployed_stack import DeployedStack
from local.http_server import HttpServer


@pytest.mark.parametrize(
    ("value", "status", "message"),
    [
        (" ", "failed", "is empty"),
        ("\ufeff\r\n", "failed", "is empty; store it anew"),
        ("sk-hid\nsk-hidden", "failed", "holds blanks"),
        (" Bearer sk-hidden\n", "warning", "functions ignore that"),
        ('"\n"', "failed", "is empty"),
        ('{"key":"sk-hidden"}', "failed", "is JSON; it must be the plain string"),
        ("sk-hidden sk-hidden", "failed", "holds blanks"),
        ("sk-hidden\n", "warning", "ends with a line break; functions ignore that"),
        ("sk-hidden\r\n", "warning", "without: aws secretsmanager put-secret-value --secret-id"),
        ("\ufeffsk-hidden", "warning", "quotes, a byte order mark"),
        ("Bearer sk-hidden", "warning", '"Bearer" around it; functions ignore that'),
        ("sk-hidden", "ok", "exists"),
    ],
)
def test_a_secret_is_read_as_functions_read_it_and_never_printed(
    stack: DeployedStack, value: str, status: str, message: str
) -> None:
    name = f"doctor/{uuid.uuid4()}"
    boto3.client("secretsmanager").create_secret(Name=name, SecretString=value)
    (found,) = secret_checks.check_openai_secret(with_parameters(stack, OpenAISecretName=name))

    assert (found.status, found.message.startswith(f"the secret {name} ")) == (status, True)
    assert message in found.message
    assert "hidden" not in found.message


def test_a_missing_secret_is_reported_with_the_command_that_creates_it(stack: DeployedStack) -> None:
    (found,) = findings(secret_checks.check_openai_secret, with_parameters(stack, OpenAISecretName="no/such"))

    command = "aws secretsmanager create-secret --name no/such"
    assert found.status == "failed"
    assert found.message.startswith(f"there is no secret no/such in us-east-1: {command}")


def test_a_secret_in_another_region_is_reported_with_that_region(stack: DeployedStack) -> None:
    name = f"doctor/{uuid.uuid4()}"
    boto3.client("secretsmanager", "eu-west-1").create_secret(Name=name, SecretString="sk-hidden")
    (found,) = findings(secret_checks.check_openai_secret, with_parameters(stack, OpenAISecretName=name))

    assert found.status == "failed"
    assert found.message.startswith(
        f"the secret {name} lies in eu-west-1, but functions read it in us-east-1, the stack's region: "
        f"aws secretsmanager replicate-secret-to-regions --region eu-west-1 --secret-id {name}"
    )


def test_a_secret_without_a_value_is_empty(stack: DeployedStack) -> None:
    name = f"doctor/{uuid.uuid4()}"
    boto3.client("secretsmanager").create_secret(Name=name)
    (found,) = findings(secret_checks.check_openai_secret, with_parameters(stack, OpenAISecretName=name))

    assert found.status == "failed"
    assert found.message.startswith(f"the secret {name} is empty: it has never had a value; aws secrets")


def test_a_deleted_secret_is_reported_with_the_command_that_restores_it(stack: DeployedStack) -> None:
    name, client = f"doctor/{uuid.uuid4()}", boto3.client("secretsmanager")
    client.create_secret(Name=name, SecretString="sk-hidden")
    client.delete_secret(SecretId=name)
    (found,) = findings(secret_checks.check_openai_secret, with_parameters(stack, OpenAISecretName=name))

    restore = f"aws secretsmanager restore-secret --secret-id {name}"
    assert (found.status, found.message) == (
        "failed",
        f"the secret {name} is scheduled for deletion: {restore}",
    )


def test_all_other_regions_are_asked_at_once(stack: DeployedStack, monkeypatch: pytest.MonkeyPatch) -> None:
    regions = set()

    def answer_slowly(environ: dict[str, Any], start_response: Any) -> Any:
        request = Request(environ)
        regions.add(request.headers["authorization"].split("/")[2])
        if request.headers["x-amz-target"].endswith("DescribeSecret"):
            time.sleep(0.5)
        body = {"__type": "ResourceNotFoundException", "message": "not found"}
        response = Response(json.dumps(body), 400, content_type="application/x-amz-json-1.1")
        return response(environ, start_response)

    server = HttpServer(answer_slowly)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    started = time.monotonic()
    try:
        assert "there is no secret" in messages(secret_checks.check_openai_secret, stack)
    finally:
        server.stop()

    assert len(regions) > 15
    assert time.monotonic() - started < 0.5 * len(regions) / 2


def test_the_webhook_needs_a_secret_if_it_has_a_url(stack: DeployedStack) -> None:
    configured = with_parameters(stack, WebhookUrl="https://example.com", WebhookSecretName="no/webhook")

    assert statuses(secret_checks.check_webhook_secret, configured) == {"webhook secret": "failed"}


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        ("my hidden password", "failed"),
        ("whsec_aGlkZGVu", "failed"),
        ("\n", "failed"),
        ("whsec_aGlkZGVuIGhpZGRlbiBoaWRkZW4gaGlkZGVu", "ok"),
        ("whsec_aGlkZGVuIGhpZGRlbiBoaWRkZW4gaGlkZGVu\n", "warning"),
    ],
)
def test_a_secret_that_cannot_sign_is_a_problem(stack: DeployedStack, value: str, verdict: str) -> None:
    name = f"doctor/{uuid.uuid4()}"
    boto3.client("secretsmanager").create_secret(Name=name, SecretString=value)
    configured = with_parameters(stack, CallbackSecretName=name)

    assert statuses(secret_checks.check_callback_secret, configured) == {"callback secret": verdict}
    assert "hidden" not in messages(secret_checks.check_callback_secret, configured)
    without = with_parameters(stack, CallbackSecretName="")
    assert statuses(secret_checks.check_callback_secret, without) == {"callback secret": "ok"}


@pytest.mark.parametrize(
    ("value", "verdict"),
    [("hidden", "failed"), ("\n", "failed"), ("api-key=hidden", "ok"), ("api-key=hidden\n", "warning")],
)
def test_a_secret_that_holds_no_headers_for_traces_is_a_problem(
    stack: DeployedStack, value: str, verdict: str
) -> None:
    name = f"doctor/{uuid.uuid4()}"
    boto3.client("secretsmanager").create_secret(Name=name, SecretString=value)
    configured = with_parameters(stack, OtlpHeadersSecretName=name)

    assert statuses(secret_checks.check_trace_headers_secret, configured) == {"trace headers": verdict}
    assert "hidden" not in messages(secret_checks.check_trace_headers_secret, configured)
    without = with_parameters(stack, OtlpHeadersSecretName="")
    assert statuses(secret_checks.check_trace_headers_secret, without) == {"trace headers": "ok"}
