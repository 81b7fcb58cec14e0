"""The checks of a stack's secrets, which are read as functions read them, and never printed."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from cli.doctor.deployed_stack import CLIENT_CONFIG, DeployedStack
from cli.doctor.finding import Finding
from upcall.aws.secrets_manager import clean_secret
from upcall.domain.errors import InvalidSecret
from upcall.run_apis.client import parse_api_key
from upcall.web.otlp import parse_headers
from upcall.web.standard_webhooks import check_secret

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

Parse = Callable[[str, str], str]
"""Returns what functions use of a secret with that name and that value. Raises InvalidSecret."""

OTHER_REGION_CONFIG = Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 1})
"""All regions are asked at once, so this is the time for all."""


def check_openai_secret(stack: DeployedStack) -> Iterator[Finding]:
    """The OpenAI API key must exist, in a form that functions accept."""
    yield check_secret_value("OpenAI key", stack.parameter("OpenAISecretName"), parse_api_key)


def check_webhook_secret(stack: DeployedStack) -> Iterator[Finding]:
    """If `notify` has a URL, it needs a secret to sign with."""
    if stack.parameter("WebhookUrl"):
        yield check_secret_value("webhook secret", stack.parameter("WebhookSecretName"), parse_signing_secret)
    else:
        yield Finding("webhook secret", "ok", "not needed, because WebhookUrl is empty")


def check_callback_secret(stack: DeployedStack) -> Iterator[Finding]:
    """If callbacks are switched on, their secret must exist."""
    if name := stack.parameter("CallbackSecretName"):
        yield check_secret_value("callback secret", name, parse_signing_secret)
    else:
        yield Finding("callback secret", "ok", "not needed, because CallbackSecretName is empty")


def check_trace_headers_secret(stack: DeployedStack) -> Iterator[Finding]:
    """If requests to the OpenTelemetry endpoint need headers, their secret must hold some."""
    if name := stack.parameter("OtlpHeadersSecretName"):
        yield check_secret_value("trace headers", name, _check_headers)
    else:
        yield Finding("trace headers", "ok", "not needed, because OtlpHeadersSecretName is empty")


def _check_headers(name: str, secret: str) -> str:
    parse_headers(name, secret)
    return secret


def read_webhook_secret(name: str) -> str | None:
    """The signing secrets as functions use them, or None if there is none that can sign."""
    client = create_secrets_client()
    missing = (client.exceptions.ResourceNotFoundException, client.exceptions.InvalidRequestException)
    try:
        return parse_signing_secret(name, clean_secret(name, _read_secret(client, name)))
    except (*missing, InvalidSecret):
        return None


def read_openai_key(stack: DeployedStack) -> str | None:
    """The API key as functions send it, or None if `check_openai_secret` has a problem with it."""
    name, client = stack.parameter("OpenAISecretName"), create_secrets_client()
    missing = (client.exceptions.ResourceNotFoundException, client.exceptions.InvalidRequestException)
    try:
        return parse_api_key(name, clean_secret(name, _read_secret(client, name)))
    except (*missing, InvalidSecret):
        return None


def check_secret_value(label: str, name: str, parse: Parse) -> Finding:
    """What is wrong with a secret, or how it differs from what functions use of it."""
    client = create_secrets_client()
    try:
        value = _read_secret(client, name)
        used = parse(name, clean_secret(name, value))
    except client.exceptions.ResourceNotFoundException:
        return Finding(label, "failed", _describe_missing(client, name))
    except client.exceptions.InvalidRequestException:
        if not client.describe_secret(SecretId=name).get("DeletedDate"):
            raise
        command = f"aws secretsmanager restore-secret --secret-id {name}"
        return Finding(label, "failed", f"the secret {name} is scheduled for deletion: {command}")
    except InvalidSecret as error:
        return Finding(label, "failed", f"{error}; store it anew: {put_secret_command(name)}")
    if used == value:
        return Finding(label, "ok", f"the secret {name} exists")
    if value.rstrip("\r\n") == used:
        found = "ends with a line break"
    else:
        found = 'has blanks, line breaks, quotes, a byte order mark, or "Bearer" around it'
    advice = f"functions ignore that. To store it without: {put_secret_command(name)}"
    return Finding(label, "warning", f"the secret {name} {found}; {advice}")


def put_secret_command(name: str) -> str:
    """The command that stores a new value in a secret."""
    return f"aws secretsmanager put-secret-value --secret-id {name} --secret-string …"


def create_secrets_client() -> "SecretsManagerClient":
    """A client of Secrets Manager."""
    return boto3.client("secretsmanager", config=CLIENT_CONFIG)


def _read_secret(client: "SecretsManagerClient", name: str) -> str:
    return client.get_secret_value(SecretId=name).get("SecretString", "")


def _describe_missing(client: "SecretsManagerClient", name: str) -> str:
    if _exists(client, name):
        return f"the secret {name} is empty: it has never had a value; {put_secret_command(name)}"
    region = client.meta.region_name
    if regions := _find_other_regions(name, region):
        replicas = f"--secret-id {name} --add-replica-regions Region={region}"
        command = f"aws secretsmanager replicate-secret-to-regions --region {regions[0]} {replicas}"
        return (
            f"the secret {name} lies in {' and '.join(regions)}, but functions read it in {region}, the "
            f"stack's region: {command}"
        )
    command = f"aws secretsmanager create-secret --name {name} --secret-string …"
    return f"there is no secret {name} in {region}: {command}"


def _find_other_regions(name: str, region: str) -> list[str]:
    """The other regions of the partition that have a secret of that name.

    A region that the account has not enabled rejects the request, and so counts as one without the secret.
    """
    session = boto3.Session()
    partition = session.get_partition_for_region(region)
    regions = [each for each in session.get_available_regions("secretsmanager", partition) if each != region]
    clients = [session.client("secretsmanager", each, config=OTHER_REGION_CONFIG) for each in regions]
    with ThreadPoolExecutor(max(len(clients), 1)) as executor:
        found = executor.map(lambda client: _exists(client, name), clients)
        return [each for each, exists in zip(regions, found, strict=True) if exists]


def _exists(client: "SecretsManagerClient", name: str) -> bool:
    try:
        return not client.describe_secret(SecretId=name).get("DeletedDate")
    except (ClientError, BotoCoreError):
        return False


def parse_signing_secret(name: str, secret: str) -> str:
    """The signing secrets in a secret. Raises InvalidSecret."""
    try:
        check_secret(secret)
    except InvalidSecret as error:
        raise InvalidSecret(f"the secret {name} cannot sign: {error}") from None
    return secret
