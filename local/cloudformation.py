"""Deploys the template on moto's CloudFormation, and the workflows beside it.

The backends of moto are called in this process. For a few calls each, HTTP clients of four services would
take most of the time in which a local stack starts.
"""

import local.moto_patches  # noqa: F401  # first: it imports moto.cloudformation without unused services

# isort: split
import json
from collections.abc import Iterator, Mapping
from typing import Any

import boto3
from moto.awslambda.models import LambdaFunction
from moto.cloudformation.models import cloudformation_backends
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends
from moto.secretsmanager.models import secretsmanager_backends

from local.config import AWS_ENVIRONMENT, STACK_NAME
from local.lambda_runtime import Function
from local.moto_patches.distributed_map import without_result_writers
from local.template import Template

_REGION = AWS_ENVIRONMENT["AWS_REGION"]


class DeployedTemplate:
    """A deployed template. `functions` and `physical_ids` are by logical id.

    Requires the environment of boto3 to point at moto. `parameters` override the template's defaults.
    `secrets` are by name. `environment` is added to the environment of every function, `exempt_hosts` are
    those of functions by their logical ids.
    """

    def __init__(
        self,
        template: Template,
        parameters: Mapping[str, str],
        secrets: Mapping[str, str],
        environment: Mapping[str, str],
        exempt_hosts: Mapping[str, tuple[str, ...]],
    ) -> None:
        self.dynamodb = boto3.client("dynamodb")
        _create_secrets(secrets)
        outputs, resources = _create_stack(template, parameters)
        self.physical_ids = {
            name: str(getattr(each, "physical_resource_id", "")) for name, each in resources.items()
        }
        self.functions = {
            name: _function(each, environment, exempt_hosts.get(name, ()))
            for name, each in resources.items()
            if isinstance(each, LambdaFunction)
        }
        self.table = outputs["TableName"]
        self.bus = outputs["BusName"]
        self.inbox = outputs["InboxBucketName"]
        self.request_queue = outputs["RequestQueueUrl"]
        self.dead_letter_queue = outputs["DeadLetterQueueUrl"]
        for bucket in template.buckets_with_events():
            _enable_events(self.physical_ids[bucket])
        self.batch_bucket = outputs["BatchBucketName"]
        self.state_machine = _create_workflow(
            template, "RunStateMachine", outputs["StateMachineArn"], outputs
        )
        self.batch_state_machine = _create_workflow(
            template, "BatchStateMachine", outputs["BatchStateMachineArn"], outputs
        )


def _create_secrets(secrets: Mapping[str, str]) -> None:
    for name, value in secrets.items():
        secretsmanager_backends[DEFAULT_ACCOUNT_ID][_REGION].create_secret(
            name=name,
            secret_string=value,
            secret_binary=None,
            description=None,
            tags=None,
            kms_key_id=None,
            client_request_token=None,
            replica_regions=[],
            force_overwrite=False,
        )


def _create_stack(template: Template, parameters: Mapping[str, str]) -> tuple[dict[str, str], dict[str, Any]]:
    """Create the stack. Returns its outputs, and moto's resources by their logical ids."""
    stack = cloudformation_backends[DEFAULT_ACCOUNT_ID][_REGION].create_stack(
        name=STACK_NAME, template=json.dumps(template.deployable()), parameters=dict(parameters)
    )
    outputs = {each.key: each.value for each in stack.output_map.values() if each is not None}
    return outputs, dict(_resources(stack.resource_map))


def _resources(resource_map: Any) -> Iterator[tuple[str, Any]]:
    """The resources of a stack; the map leaves out those whose condition is false."""
    for logical_id in resource_map:
        if (resource := resource_map[logical_id]) is not None:
            yield logical_id, resource


def _function(
    function: LambdaFunction, environment: Mapping[str, str], exempt_hosts: tuple[str, ...]
) -> Function:
    variables = {name: str(value) for name, value in function.environment_vars.items()}
    return Function(
        name=function.function_name,
        handler=str(function.handler),
        timeout_seconds=function.timeout,
        memory_mb=function.memory_size,
        environment={**environment, **variables},
        exempt_hosts=exempt_hosts,
        reserved_concurrency=int(function.reserved_concurrency) if function.reserved_concurrency else None,
    )


def _enable_events(bucket: str) -> None:
    """Let a bucket send events to EventBridge. moto's CloudFormation ignores that setting."""
    s3_backends[DEFAULT_ACCOUNT_ID]["aws"].put_bucket_notification_configuration(
        bucket, {"EventBridgeConfiguration": {}}
    )


def _create_workflow(template: Template, machine: str, arn: str, outputs: Mapping[str, str]) -> str:
    """Create a state machine again. moto's CloudFormation creates it in a backend that executes nothing."""
    response = boto3.client("stepfunctions").create_state_machine(
        name=arn.rpartition(":")[2],
        definition=json.dumps(without_result_writers(template.workflow(machine, outputs))),
        roleArn="arn:aws:iam::123456789012:role/workflow",
    )
    return response["stateMachineArn"]
