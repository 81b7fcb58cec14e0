"""What `upcall doctor` finds about the webhooks that OpenAI sends to a stack."""

import uuid
from dataclasses import replace

import boto3
import pytest
from openai import OpenAI
from support.canned_server import canned_server, json_response
from support.doctor import findings, messages, statuses, with_parameters

from cli.doctor.deployed_stack import DeployedStack
from cli.doctor.finding import Finding
from cli.doctor.webhook_checks import check_openai_webhook, check_openai_webhook_secret
from local.openai_emulator import Emulator
from upcall.domain.webhook import RUN_EVENTS

KEY = "sk-proj-hiddenhiddenhiddenhidden"
URL = "https://abc.execute-api.eu-central-1.amazonaws.com/webhooks/openai"
REGISTER = "upcall webhooks register --stack upcall"


@pytest.fixture
def configured(stack: DeployedStack, emulator: Emulator) -> DeployedStack:
    """The stack with a key, and webhooks of the emulator switched on. Nothing is registered."""
    name = f"doctor/{uuid.uuid4()}"
    boto3.client("secretsmanager").create_secret(Name=name, SecretString=KEY)
    with_output = replace(stack, outputs={**stack.outputs, "WebhookEndpointUrl": URL})
    return with_parameters(
        with_output,
        OpenAISecretName=name,
        OpenAIBaseUrl=emulator.base_url,
        OpenAIWebhookSecretName=f"{name}/webhook",
    )


def finding(stack: DeployedStack) -> Finding:
    (found,) = findings(check_openai_webhook, stack)
    assert "hidden" not in found.message
    assert found.check == "OpenAI webhook"
    return found


def test_an_endpoint_with_all_events_passes(configured: DeployedStack, emulator: Emulator) -> None:
    emulator.webhooks.register(URL, RUN_EVENTS)

    assert finding(configured) == Finding("OpenAI webhook", "ok", f"OpenAI sends all events to {URL}")


def test_without_the_parameter_nothing_is_asked(configured: DeployedStack) -> None:
    off = with_parameters(configured, OpenAIWebhookSecretName="", OpenAIBaseUrl="http://127.0.0.1:1")

    assert finding(off).status == "ok"
    assert statuses(check_openai_webhook_secret, off) == {"OpenAI webhook": "ok"}


def test_an_endpoint_that_is_not_registered_is_a_problem(
    configured: DeployedStack, emulator: Emulator
) -> None:
    emulator.webhooks.register("https://example.com/webhooks/openai", RUN_EVENTS)
    found = finding(configured)

    assert found.status == "failed"
    assert found.message == f"OpenAI has no webhook endpoint with the URL {URL}: {REGISTER}"


def test_missing_events_are_named(configured: DeployedStack, emulator: Emulator) -> None:
    emulator.webhooks.register(URL, RUN_EVENTS[2:])
    found = finding(configured)

    assert found.status == "failed"
    assert f"gets no response.completed, response.failed: {REGISTER}" in found.message


def test_two_endpoints_with_the_same_url_are_a_problem(configured: DeployedStack, emulator: Emulator) -> None:
    for _ in range(2):
        emulator.webhooks.register(URL, RUN_EVENTS)
    found = finding(configured)

    assert found.status == "failed"
    assert "OpenAI has 2 webhook endpoints" in found.message


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_server_without_webhooks_is_a_warning(configured: DeployedStack, status: int) -> None:
    with canned_server(json_response({"detail": "Not Found"}, status)) as server:
        found = finding(with_parameters(configured, OpenAIBaseUrl=f"{server.url}/v1?hidden=1"))

    assert found.status == "warning"
    assert found.message == (
        f"{server.url}/v1 has no API for webhooks (GET /webhook_endpoints: {status}); set "
        "OpenAIWebhookSecretName to empty"
    )


def test_a_key_without_access_to_webhooks_could_not_ask(configured: DeployedStack) -> None:
    error = {"error": {"message": f"Missing scopes for {KEY}"}}
    with canned_server(json_response(error, 403)) as server:
        found = finding(with_parameters(configured, OpenAIBaseUrl=f"{server.url}/v1"))

    assert found.status == "unknown"
    assert "did not accept GET /webhook_endpoints: 403: Missing scopes for ***" in found.message


def test_a_server_that_cannot_be_reached_could_not_be_asked(configured: DeployedStack) -> None:
    found = finding(with_parameters(configured, OpenAIBaseUrl="http://127.0.0.1:1/v1"))

    assert (found.status, "could not be asked from this machine" in found.message) == ("unknown", True)


def test_without_a_valid_key_the_server_is_not_asked(configured: DeployedStack) -> None:
    found = finding(with_parameters(configured, OpenAISecretName="no/such"))

    assert found.status == "unknown"
    assert found.message.endswith("was not asked, because there is no valid API key")


def test_a_missing_secret_is_a_problem(configured: DeployedStack) -> None:
    assert statuses(check_openai_webhook_secret, configured) == {"OpenAI webhook": "failed"}
    assert "there is no secret" in messages(check_openai_webhook_secret, configured)


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ("my hidden password", "failed"),
        ("whsec_aGlkZGVu", "failed"),
        ("whsec_aGlkZGVuIGhpZGRlbiBoaWRkZW4gaGlkZGVu", "ok"),
        ("whsec_aGlkZGVuIGhpZGRlbiBoaWRkZW4gaGlkZGVu whsec_aGlkZGVuIGhpZGRlbiBoaWRkZW4gaGlkZGVy", "ok"),
        ("whsec_aGlkZGVuIGhpZGRlbiBoaWRkZW4gaGlkZGVu hidden", "failed"),
    ],
)
def test_a_secret_that_cannot_verify_is_a_problem(configured: DeployedStack, value: str, status: str) -> None:
    name = configured.parameter("OpenAIWebhookSecretName")
    boto3.client("secretsmanager").create_secret(Name=name, SecretString=value)

    assert statuses(check_openai_webhook_secret, configured) == {"OpenAI webhook": status}
    assert "hidden" not in messages(check_openai_webhook_secret, configured)


def test_the_checks_change_nothing(configured: DeployedStack, emulator: Emulator) -> None:
    emulator.webhooks.register(URL, RUN_EVENTS[1:])
    with OpenAI(base_url=emulator.base_url, api_key="x") as client:
        before = client.webhooks.list().data
        findings(check_openai_webhook, configured)

        assert client.webhooks.list().data == before
        assert [each.status for each in emulator.webhooks.deliveries.attempts] == []
