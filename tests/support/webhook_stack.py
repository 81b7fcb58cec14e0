"""A stack with the parameters and outputs that webhooks need, on the AWS of the local stack."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import boto3

KEY = "sk-proj-hiddenhiddenhiddenhidden"


@contextmanager
def webhook_stack(base_url: str, endpoint_url: str, **parameters: str) -> Iterator[str]:
    """The name of a stack. Its secrets begin with that name; that of the webhook does not exist yet."""
    name = f"hooks-{uuid.uuid4().hex[:12]}"
    boto3.client("secretsmanager").create_secret(Name=f"{name}/key", SecretString=KEY)
    given = {
        "OpenAIBaseUrl": base_url,
        "OpenAISecretName": f"{name}/key",
        "OpenAIOrganization": "",
        "OpenAIProject": "proj_1",
        "OpenAIWebhookSecretName": f"{name}/webhook",
        **parameters,
    }
    template = {
        "Parameters": {each: {"Type": "String", "Default": ""} for each in given},
        "Resources": {"Queue": {"Type": "AWS::SQS::Queue"}},
        "Outputs": {"WebhookEndpointUrl": {"Value": endpoint_url}},
    }
    client = boto3.client("cloudformation")
    client.create_stack(
        StackName=name,
        TemplateBody=json.dumps(template),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
    )
    try:
        yield name
    finally:
        client.delete_stack(StackName=name)


def stored_secret(stack: str) -> str:
    """The value of the webhook's secret."""
    return boto3.client("secretsmanager").get_secret_value(SecretId=f"{stack}/webhook")["SecretString"]
