"""Registers a stack's webhook endpoint at OpenAI, and rotates its signing secret.

The functions of the stack read the secret anew after five minutes at most. OpenAI repeats a delivery that was
rejected meanwhile, and a run that waits also polls, so no change of a run is missed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from botocore.exceptions import BotoCoreError, ClientError

from cli.doctor.deployed_stack import DeployedStack, OutdatedStack, describe_error, find_stack
from cli.doctor.openai_server import NoResponse, connect
from cli.doctor.secret_checks import create_secrets_client, read_openai_key, read_webhook_secret
from cli.errors import CommandError
from cli.webhooks.endpoints import (
    Endpoint,
    NoWebhooks,
    RejectedRequest,
    WebhookEndpoints,
    describe_duplicates,
)
from upcall.domain.webhook import RUN_EVENTS

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

URL_OUTPUT = "WebhookEndpointUrl"
SECRET_PARAMETER = "OpenAIWebhookSecretName"  # noqa: S105  # a name

SECRET_DESCRIPTION = "Signs the webhooks of OpenAI. Written by `upcall webhooks`."  # noqa: S105


@dataclass(frozen=True)
class Registration:
    """What a command did with the endpoint and the secret."""

    endpoint: Literal["created", "updated", "unchanged"]
    secret: Literal["stored", "unchanged"]
    endpoint_id: str
    url: str
    event_types: tuple[str, ...]
    secret_name: str


@dataclass(frozen=True)
class StackWebhook:
    """The endpoint of a stack: its URL, its secret's name, and the endpoints of the server."""

    stack: str
    url: str
    secret_name: str
    endpoints: WebhookEndpoints

    def find(self) -> Endpoint | None:
        """The endpoint at the server. Raises CommandError if there are several."""
        found = self.endpoints.find(self.url)
        if len(found) > 1:
            raise CommandError(describe_duplicates(self.url, [each.id for each in found]))
        return found[0] if found else None

    def find_registered(self) -> Endpoint:
        """The endpoint at the server. Raises CommandError if there is none."""
        if endpoint := self.find():
            return endpoint
        command = f"upcall webhooks register --stack {self.stack}"
        raise CommandError(f"OpenAI has no webhook endpoint with the URL {self.url}; create it: {command}")


@contextmanager
def stack_webhook(name: str) -> Iterator[StackWebhook]:
    """The webhook of a stack. Raises CommandError for all errors of the server and of AWS meanwhile."""
    stack = find_stack(name)
    base_url = stack.parameters.get("OpenAIBaseUrl", "").partition("?")[0]  # some take secrets in the query
    try:
        yield _describe_webhook(stack)
    except NoWebhooks as error:
        message = f"{base_url} has no API for webhooks ({error}); runs are polled instead"
        raise CommandError(message) from None
    except RejectedRequest as error:
        raise CommandError(f"{base_url} did not accept {error}") from None
    except NoResponse as error:
        raise CommandError(f"{base_url} could not be asked from this machine: {error}") from None
    except OutdatedStack as error:
        raise CommandError(str(error)) from None
    except ClientError as error:
        raise CommandError(describe_error("secretsmanager", error)) from None
    except BotoCoreError as error:
        raise CommandError(f"AWS cannot be called: {error}") from None


def register(webhook: StackWebhook) -> Registration:
    """Let OpenAI send RUN_EVENTS to the stack, and the stack have the secret that they are signed with.

    An endpoint that exists is updated. Its secret cannot be read at OpenAI: if the stack has none that can
    sign, it is rotated. A second call changes nothing.
    """
    found = webhook.find()
    if found is None:
        return _create(webhook)
    change: Literal["updated", "unchanged"] = "unchanged"
    if set(found.event_types) != set(RUN_EVENTS):
        found, change = webhook.endpoints.set_event_types(found, RUN_EVENTS), "updated"
    if read_webhook_secret(webhook.secret_name):
        return _registration(webhook, found, change, "unchanged")
    rotated = webhook.endpoints.rotate_secret(found, keep_old=False)
    _store_rotated(webhook, rotated.signing_secret)
    return _registration(webhook, found, change, "stored")


def rotate(webhook: StackWebhook, *, revoke_old: bool) -> Registration:
    """Give the endpoint a new signing secret.

    OpenAI returns the new secret only when it has rotated, and keeps the old one valid for 24 hours. Both are
    stored, because functions need up to five minutes to see the new one. With `revoke_old`, the old one is
    invalid at once, at OpenAI and in the stack.
    """
    endpoint = webhook.find_registered()
    stored = read_webhook_secret(webhook.secret_name)
    if stored is None:
        command = f"upcall webhooks register --stack {webhook.stack}"
        message = f"the secret {webhook.secret_name} has no value that can sign, so nothing was rotated"
        raise CommandError(f"{message}; to store a new one: {command}")
    # shows that the secret can be written before OpenAI makes a new one, which it returns only once
    _store(webhook.secret_name, stored)
    new = webhook.endpoints.rotate_secret(endpoint, keep_old=not revoke_old).signing_secret
    _store_rotated(webhook, new if revoke_old else f"{new} {stored.split()[0]}")
    return _registration(webhook, endpoint, "unchanged", "stored")


def send_sample(webhook: StackWebhook, event_type: str) -> int:
    """Let OpenAI send a sample of an event to the stack. Returns the status of the stack's response."""
    return webhook.endpoints.send_sample(webhook.find_registered(), event_type).status_code


def _describe_webhook(stack: DeployedStack) -> StackWebhook:
    secret_name = stack.parameter(SECRET_PARAMETER)
    if not secret_name:
        setting = f"{SECRET_PARAMETER}=upcall/openai-webhook-secret"
        message = f"{SECRET_PARAMETER} of the stack {stack.name} is empty, so it has no route for webhooks"
        raise CommandError(f"{message}: add {setting} to samconfig.toml, run `make deploy`, and try again")
    key = read_openai_key(stack)
    if key is None:
        message = f"there is no valid API key in the secret {stack.parameter('OpenAISecretName')}"
        raise CommandError(f"{message}; `upcall doctor --stack {stack.name}` says what is wrong with it")
    organization, project = stack.parameter("OpenAIOrganization"), stack.parameter("OpenAIProject")
    server = connect(stack.parameter("OpenAIBaseUrl"), key, organization, project)
    return StackWebhook(stack.name, stack.output(URL_OUTPUT), secret_name, WebhookEndpoints(server))


def _create(webhook: StackWebhook) -> Registration:
    """Create the endpoint. If its secret cannot be stored, it is lost, and the endpoint is deleted again."""
    created = webhook.endpoints.create(webhook.url, f"Upcall stack {webhook.stack}")
    try:
        _store(webhook.secret_name, created.signing_secret)
    except BaseException as error:
        try:
            webhook.endpoints.delete(created)
        except (NoResponse, RejectedRequest) as second:
            message = f"the secret of the new endpoint {created.id} could not be stored ({error}), nor the"
            raise CommandError(f"{message} endpoint deleted ({second}): delete it at OpenAI") from error
        raise
    return _registration(webhook, created, "created", "stored")


def _store_rotated(webhook: StackWebhook, secret: str) -> None:
    try:
        _store(webhook.secret_name, secret)
    except (ClientError, BotoCoreError, CommandError) as error:
        reason = describe_error("secretsmanager", error) if isinstance(error, ClientError) else str(error)
        message = f"OpenAI has rotated the secret, but {webhook.secret_name} could not be written: {reason}"
        raise CommandError(f"{message}; run the command again when that is fixed") from None


def _store(name: str, secret: str) -> None:
    """Store a secret under this name, and create it if there is none."""
    client = create_secrets_client()
    try:
        client.put_secret_value(SecretId=name, SecretString=secret)
    except client.exceptions.ResourceNotFoundException:
        client.create_secret(Name=name, SecretString=secret, Description=SECRET_DESCRIPTION)
    except client.exceptions.InvalidRequestException:
        raise CommandError(_describe_unusable(client, name)) from None


def _describe_unusable(client: "SecretsManagerClient", name: str) -> str:
    if client.describe_secret(SecretId=name).get("DeletedDate"):
        command = f"aws secretsmanager restore-secret --secret-id {name}"
        return f"the secret {name} is scheduled for deletion: {command}"
    return f"the secret {name} cannot be written: another service manages it"


def _registration(
    webhook: StackWebhook,
    endpoint: Endpoint,
    change: Literal["created", "updated", "unchanged"],
    secret: Literal["stored", "unchanged"],
) -> Registration:
    return Registration(
        change, secret, endpoint.id, endpoint.url, tuple(endpoint.event_types), webhook.secret_name
    )
