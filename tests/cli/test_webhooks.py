"""`upcall webhooks` with the emulator of OpenAI and the AWS of the local stack."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from openai import OpenAI
from support.canned_server import canned_server, json_response
from support.webhook_receiver import WebhookReceiver, is_verified, webhook_receiver
from support.webhook_stack import KEY, stored_secret, webhook_stack
from typer.testing import CliRunner, Result
from werkzeug.wrappers import Response

from cli.doctor import secret_checks
from cli.errors import CommandError
from cli.main import app
from cli.webhooks import registration
from local.config import AWS_ENVIRONMENT
from local.openai_emulator import Emulator
from local.stack import LocalStack
from upcall.domain.webhook import RUN_EVENTS
from upcall.web.standard_webhooks import check_secret, rejection_reason

from .conftest import Upcall, one_line_error

URL = "https://abc.execute-api.eu-central-1.amazonaws.com/webhooks/openai"


@pytest.fixture
def client(emulator: Emulator) -> Iterator[OpenAI]:
    with OpenAI(base_url=emulator.base_url, api_key="x", max_retries=0) as opened:
        yield opened


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    with webhook_receiver() as started:
        yield started


@pytest.fixture
def stack(local_stack: LocalStack, emulator: Emulator, receiver: WebhookReceiver) -> Iterator[str]:
    with webhook_stack(emulator.base_url, receiver.url) as name:
        yield name


def invoke(command: str, stack: str, *options: str) -> Result:
    """Run a command to its end. No output may have a secret."""
    result = CliRunner().invoke(app, ["webhooks", command, "--stack", stack, *options])
    assert "whsec_" not in result.output
    assert KEY not in result.output
    return result


def succeed(command: str, stack: str, *options: str) -> dict[str, Any]:
    result = invoke(command, stack, "--json", *options)
    assert result.exit_code == 0, result.exception or result.output
    return dict(json.loads(result.output))


def fail(command: str, stack: str, *options: str) -> str:
    """The message of the error of a command."""
    result = invoke(command, stack, *options)
    assert isinstance(result.exception, CommandError), result.output
    return str(result.exception)


def reject_writes(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Let Secrets Manager reject every new value of a secret with this error."""
    create = secret_checks.create_secrets_client

    def create_rejecting() -> Any:
        client: Any = create()

        def reject(**_: Any) -> None:
            error = client.exceptions.from_code(code)
            raise error({"Error": {"Code": code, "Message": "no"}}, "PutSecretValue")

        client.put_secret_value = reject
        return client

    monkeypatch.setattr(registration, "create_secrets_client", create_rejecting)


def test_register_creates_the_endpoint_and_stores_its_secret(
    stack: str, client: OpenAI, receiver: WebhookReceiver
) -> None:
    done = succeed("register", stack)

    (endpoint,) = client.webhooks.list()
    assert (endpoint.url, endpoint.name) == (receiver.url, f"Upcall stack {stack}")
    assert tuple(endpoint.event_types) == RUN_EVENTS
    assert done == {
        "endpoint": "created",
        "secret": "stored",
        "endpoint_id": endpoint.id,
        "url": receiver.url,
        "event_types": list(RUN_EVENTS),
        "secret_name": f"{stack}/webhook",
    }
    check_secret(stored_secret(stack))
    receiver.secret = stored_secret(stack)
    assert succeed("test", stack)["status_code"] == 204


def test_register_changes_nothing_the_second_time(stack: str, client: OpenAI) -> None:
    first = succeed("register", stack)
    secret = stored_secret(stack)
    second = succeed("register", stack)

    assert second == {**first, "endpoint": "unchanged", "secret": "unchanged"}
    assert stored_secret(stack) == secret
    assert len(client.webhooks.list().data) == 1


def test_register_gives_an_endpoint_its_missing_events(
    stack: str, client: OpenAI, receiver: WebhookReceiver
) -> None:
    id_ = succeed("register", stack)["endpoint_id"]
    client.webhooks.update(id_, event_types=["response.completed", "batch.failed"])

    assert succeed("register", stack)["endpoint"] == "updated"
    assert tuple(client.webhooks.retrieve(id_).event_types) == RUN_EVENTS


@pytest.mark.parametrize("value", [None, "my password"])
def test_register_rotates_a_secret_that_the_stack_has_lost(
    stack: str, emulator: Emulator, receiver: WebhookReceiver, value: str | None
) -> None:
    emulator.webhooks.register(receiver.url, RUN_EVENTS)
    if value:
        boto3.client("secretsmanager").create_secret(Name=f"{stack}/webhook", SecretString=value)
    done = succeed("register", stack)

    assert (done["endpoint"], done["secret"]) == ("unchanged", "stored")
    receiver.secret = stored_secret(stack)
    assert succeed("test", stack)["accepted"]


def test_register_replaces_the_secret_of_an_endpoint_that_is_gone(
    stack: str, client: OpenAI, receiver: WebhookReceiver
) -> None:
    client.webhooks.delete(succeed("register", stack)["endpoint_id"])
    old = stored_secret(stack)

    assert succeed("register", stack)["endpoint"] == "created"
    assert stored_secret(stack) != old


def test_register_finds_an_endpoint_on_a_later_page(stack: str, emulator: Emulator, client: OpenAI) -> None:
    succeed("register", stack)
    for number in range(120):
        emulator.webhooks.register(f"https://example.com/{number}")

    assert succeed("register", stack)["endpoint"] == "unchanged"


def test_register_leaves_no_endpoint_whose_secret_could_not_be_stored(
    stack: str, client: OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    reject_writes(monkeypatch, "AccessDeniedException")

    message = "your AWS credentials lack the permission secretsmanager:PutSecretValue"
    assert fail("register", stack) == message
    assert client.webhooks.list().data == []


def test_register_says_what_it_did_in_plain_text(stack: str, receiver: WebhookReceiver) -> None:
    printed = invoke("register", stack).output.splitlines()

    assert printed[0].startswith("endpoint created: whe_")
    assert printed[0].endswith(f", {receiver.url}")
    assert printed[2:] == [
        f"secret stored: {stack}/webhook",
        "Functions use a new secret after five minutes at most.",
    ]


def test_register_names_two_endpoints_with_the_same_url(
    stack: str, emulator: Emulator, receiver: WebhookReceiver
) -> None:
    for _ in range(2):
        emulator.webhooks.register(receiver.url)

    message = fail("register", stack)
    assert message.startswith(f"OpenAI has 2 webhook endpoints with the URL {receiver.url}: whe_")
    assert message.endswith("delete all but one at OpenAI")


def test_without_the_parameter_the_command_says_how_to_set_it(
    local_stack: LocalStack, emulator: Emulator
) -> None:
    with webhook_stack(emulator.base_url, URL, OpenAIWebhookSecretName="") as stack:
        message = fail("register", stack)

    assert message == (
        f"OpenAIWebhookSecretName of the stack {stack} is empty, so it has no route for webhooks: add "
        "OpenAIWebhookSecretName=upcall/openai-webhook-secret to samconfig.toml, run `make deploy`, and try again"
    )


def test_a_stack_that_does_not_exist_is_one_line(
    upcall: Upcall, local_stack: LocalStack, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    config.write_text("[profile nobody]\n", "utf-8")
    variables = {"AWS_ENDPOINT_URL": local_stack.endpoints.aws, "AWS_CONFIG_FILE": str(config)}
    finished = upcall("webhooks", "register", "--stack", "no-such", **{**AWS_ENVIRONMENT, **variables})

    assert one_line_error(finished).startswith("upcall: there is no stack no-such in us-east-1")


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (
            json_response({"detail": "Not Found"}, 404),
            "has no API for webhooks (GET /webhook_endpoints: 404)",
        ),
        (
            json_response({"error": {"message": f"no scope for {KEY}"}}, 403),
            "did not accept GET /webhook_endpoints: 403: no scope for ****",
        ),
        (json_response({"data": [{"id": "whe_1"}]}), "another format: data.0.url: Field required"),
        (Response("<html>", content_type="text/html"), "another format: the response: Input should be"),
    ],
)
def test_a_server_that_does_not_answer_as_openai_does_is_described(
    local_stack: LocalStack, response: Response, expected: str
) -> None:
    with canned_server(response) as server, webhook_stack(f"{server.url}/v1?hidden=1", URL) as stack:
        message = fail("register", stack)
        (request,) = server.requests

    assert expected in message
    assert f"{server.url}/v1 " in message
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert request.headers["Openai-Project"] == "proj_1"


def test_a_server_that_cannot_be_reached_is_named(local_stack: LocalStack) -> None:
    with webhook_stack("http://127.0.0.1:1/v1", URL) as stack:
        assert fail("test", stack).startswith("http://127.0.0.1:1/v1 could not be asked from this machine")


def test_a_missing_api_key_is_named(local_stack: LocalStack, emulator: Emulator) -> None:
    with webhook_stack(emulator.base_url, URL, OpenAISecretName="no/such") as stack:
        message = fail("register", stack)

    assert message == (
        f"there is no valid API key in the secret no/such; `upcall doctor --stack {stack}` says what is wrong "
        "with it"
    )


def test_after_a_rotation_both_old_and_new_functions_accept_events(
    stack: str, client: OpenAI, receiver: WebhookReceiver
) -> None:
    """Functions keep the secret for five minutes."""
    succeed("register", stack)
    old = stored_secret(stack)
    done = succeed("rotate", stack)
    both = stored_secret(stack)
    receiver.secret = both.split()[0]
    assert succeed("test", stack)["accepted"]
    (received,) = receiver.received

    assert (done["endpoint"], done["secret"]) == ("unchanged", "stored")
    assert both.split()[1:] == [old]
    for secret in (old, both, both.split()[0]):
        assert rejection_reason(secret, received.headers, received.body, now=time.time()) is None


def test_a_second_rotation_keeps_two_secrets(stack: str) -> None:
    succeed("register", stack)
    succeed("rotate", stack)
    (second, _) = stored_secret(stack).split()
    succeed("rotate", stack)

    (third, kept) = stored_secret(stack).split()
    assert kept == second
    assert third != second


def test_a_secret_that_has_leaked_is_invalid_at_once(stack: str, receiver: WebhookReceiver) -> None:
    succeed("register", stack)
    old = stored_secret(stack)
    succeed("rotate", stack, "--revoke-old")
    receiver.secret = stored_secret(stack)
    assert succeed("test", stack)["accepted"]
    (received,) = receiver.received

    assert old not in stored_secret(stack)
    assert not is_verified(received.body, received.headers, old)


def test_nothing_is_rotated_if_the_new_secret_could_not_be_stored(
    stack: str, client: OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = succeed("register", stack)["endpoint_id"]
    before = client.webhooks.retrieve(id_).signing_secret_hint
    reject_writes(monkeypatch, "AccessDeniedException")

    assert "lack the permission secretsmanager:PutSecretValue" in fail("rotate", stack)
    assert client.webhooks.retrieve(id_).signing_secret_hint == before


def test_a_rotated_secret_that_could_not_be_stored_is_replaced_by_the_next_rotation(
    stack: str, receiver: WebhookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    succeed("register", stack)
    store, calls = registration._store, []

    def fail_the_second_time(name: str, secret: str) -> None:
        calls.append(secret)
        if len(calls) == 2:
            raise CommandError("the network is down")
        store(name, secret)

    monkeypatch.setattr(registration, "_store", fail_the_second_time)

    assert fail("rotate", stack) == (
        f"OpenAI has rotated the secret, but {stack}/webhook could not be written: the network is down; run the "
        "command again when that is fixed"
    )
    succeed("rotate", stack)
    receiver.secret = stored_secret(stack).split()[0]
    assert succeed("test", stack)["accepted"]


@pytest.mark.parametrize("command", ["rotate", "test"])
def test_a_stack_that_is_not_registered_is_reported_with_the_command(stack: str, command: str) -> None:
    assert fail(command, stack).endswith(f"create it: upcall webhooks register --stack {stack}")


def test_rotate_without_a_stored_secret_rotates_nothing(
    stack: str, emulator: Emulator, client: OpenAI, receiver: WebhookReceiver
) -> None:
    emulator.webhooks.register(receiver.url, RUN_EVENTS)
    before = client.webhooks.list().data

    assert "has no value that can sign, so nothing was rotated; to store a new one" in fail("rotate", stack)
    assert client.webhooks.list().data == before


def test_a_secret_that_is_scheduled_for_deletion_is_reported_with_the_command(
    stack: str, client: OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    reject_writes(monkeypatch, "InvalidRequestException")  # as AWS does; moto accepts the value
    secrets = boto3.client("secretsmanager")
    secrets.create_secret(Name=f"{stack}/webhook", SecretString="x")
    secrets.delete_secret(SecretId=f"{stack}/webhook")

    restore = f"aws secretsmanager restore-secret --secret-id {stack}/webhook"
    assert fail("register", stack) == f"the secret {stack}/webhook is scheduled for deletion: {restore}"
    assert client.webhooks.list().data == []


def test_a_rejected_sample_is_reported_and_exits_with_1(stack: str, receiver: WebhookReceiver) -> None:
    succeed("register", stack)
    receiver.secret = "whsec_YW5vdGhlciBzZWNyZXQgb2YgMzIgYnl0ZXMgLi4uLi4="  # noqa: S105
    result = invoke("test", stack, "--event", "agent.session.idle")

    assert result.exit_code == 1
    assert result.output.startswith(f"{receiver.url} rejected a sample of agent.session.idle (401).")
    assert f"{stack}/webhook is not the secret of the endpoint, or it is new" in " ".join(
        result.output.split()
    )


def test_an_unknown_event_is_reported_in_the_servers_words(stack: str) -> None:
    succeed("register", stack)

    assert "400: 'event_type' must be of the types" in fail("test", stack, "--event", "response.done")
