"""The stack on moto: CloudFormation makes what the template says, and the workflow beside it."""

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

import boto3

from local.config import STACK_NAME
from local.lambda_runtime import Function
from local.template import CODE_BUCKET, Template


class Stack:
    """A deployed template. `functions` are by logical id.

    Expects boto3's environment to point at moto. `parameters` go over the template's defaults,
    `secrets` are by name, `environment` is what each function has besides the template's.
    """

    def __init__(
        self,
        template: Template,
        parameters: Mapping[str, str],
        secrets: Mapping[str, str],
        environment: Mapping[str, str],
        exempt_hosts: Mapping[str, tuple[str, ...]],
    ) -> None:
        self._cloudformation = boto3.client("cloudformation")
        self._lambda = boto3.client("lambda")
        self._workflows = boto3.client("stepfunctions")
        self.dynamodb = boto3.client("dynamodb")

        _upload_code()
        for name, secret in secrets.items():
            _store_secret(name, secret)
        outputs = self._deploy(template, parameters)
        self.physical = {
            each["LogicalResourceId"]: each.get("PhysicalResourceId", "")
            for each in self._cloudformation.describe_stack_resources(StackName=STACK_NAME)["StackResources"]
        }
        self.functions = dict(self._functions(environment, exempt_hosts))
        self.table = outputs["TableName"]
        self.bus = outputs["BusName"]
        self.inbox = outputs["InboxBucketName"]
        self.request_queue = outputs["RequestQueueUrl"]
        self.dead_letter_queue = outputs["DeadLetterQueueUrl"]
        for bucket in template.announcing_buckets():
            _announce_objects(self.physical[bucket])
        self.state_machine = self._create_workflow(outputs["StateMachineArn"], template.workflow(outputs))

    def _deploy(self, template: Template, parameters: Mapping[str, str]) -> dict[str, str]:
        self._cloudformation.create_stack(
            StackName=STACK_NAME,
            TemplateBody=json.dumps(template.stack()),
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            Capabilities=["CAPABILITY_IAM"],
        )
        (stack,) = self._cloudformation.describe_stacks(StackName=STACK_NAME)["Stacks"]
        return {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}

    def _functions(
        self, environment: Mapping[str, str], exempt_hosts: Mapping[str, tuple[str, ...]]
    ) -> Iterator[tuple[str, Function]]:
        resources = self._cloudformation.describe_stack_resources(StackName=STACK_NAME)["StackResources"]
        for resource in resources:
            if resource["ResourceType"] == "AWS::Lambda::Function":
                name = resource["PhysicalResourceId"]
                found = self._lambda.get_function_configuration(FunctionName=name)
                variables = found["Environment"]["Variables"]
                yield (
                    resource["LogicalResourceId"],
                    Function(
                        name=name,
                        handler=found["Handler"],
                        timeout_seconds=found["Timeout"],
                        memory_mb=found["MemorySize"],
                        environment={**environment, **{key: str(value) for key, value in variables.items()}},
                        exempt_hosts=exempt_hosts.get(resource["LogicalResourceId"], ()),
                    ),
                )

    def _create_workflow(self, arn: str, definition: Mapping[str, Any]) -> str:
        """CloudFormation's own goes into a backend of moto that runs nothing: make one that runs."""
        made = self._workflows.create_state_machine(
            name=arn.rpartition(":")[2],
            definition=json.dumps(definition),
            roleArn="arn:aws:iam::123456789012:role/workflow",
        )
        return made["stateMachineArn"]


def _announce_objects(bucket: str) -> None:
    """CloudFormation's own leaves out that a bucket tells EventBridge of its objects."""
    boto3.client("s3").put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )


def _upload_code() -> None:
    """An empty archive, for moto wants to find the code that no function on a laptop is run from."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("empty", "")
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=CODE_BUCKET)
    s3.put_object(Bucket=CODE_BUCKET, Key="code.zip", Body=archive.getvalue())


def _store_secret(name: str, secret: str) -> None:
    boto3.client("secretsmanager").create_secret(Name=name, SecretString=secret)
