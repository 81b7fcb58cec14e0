"""`template.yaml` as the laptop cloud needs it: what CloudFormation would see, the routes, the workflow.

There is no second list of tables, functions, routes or states: all of it is read from the template and
from the workflow's definition, through the same transformation that AWS applies.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samtranslator.metrics.method_decorator import MetricsMethodWrapperSingleton
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

from local.config import (
    AWS_ENVIRONMENT,
    ROOT,
    STACK_NAME,
    aws_environment,
)

CODE_BUCKET = "upcall-code"

_NOT_ON_A_LAPTOP = (
    "AWS::Lambda::EventSourceMapping",
    "AWS::ApiGatewayV2::",
    "AWS::CloudWatch::",
    "AWS::Lambda::Permission",
    "AWS::Lambda::LayerVersion",
    "AWS::Logs::MetricFilter",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::",
    "AWS::SQS::QueuePolicy",
)
_SUBSTITUTION = "Substitution"

_NAMES = {
    "AWS::DynamoDB::Table": "TableName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::StepFunctions::StateMachine": "StateMachineName",
}
"""What is named after the stack and its logical id, so that `events/env.json` can name it, too; moto would
name it by chance."""


@dataclass(frozen=True)
class Route:
    """A route of the HTTP API and the logical id of the function behind it."""

    method: str
    path: str
    function: str


@dataclass(frozen=True)
class QueueMapping:
    """A queue whose messages a function gets, both by their logical ids, in batches of at most `batch`."""

    queue: str
    function: str
    batch: int


class Template:
    """The project's template after the SAM transformation."""

    def __init__(self, root: Path = ROOT) -> None:
        self.source: dict[str, Any] = yaml_parse((root / "template.yaml").read_text("utf-8"))
        (self._machine,) = self._of_type(self.source, "AWS::Serverless::StateMachine")
        uri = self.source["Resources"][self._machine]["Properties"]["DefinitionUri"]
        self.definition = (root / uri).read_text("utf-8")
        with aws_environment(AWS_ENVIRONMENT):  # the translator wants a region
            transformed = transform(self._deployable(root), {}, _NoPolicies())
        MetricsMethodWrapperSingleton.get_instance().publish()  # to nobody; else it complains as it ends
        self.transformed: dict[str, Any] = transformed

    def stack(self) -> dict[str, Any]:
        """What moto's CloudFormation takes: no API gateway, no layers, no alarms, no workflow of its own.

        The substitutions of the workflow's definition come back as outputs, so that CloudFormation
        resolves them.
        """
        resources = {
            name: resource
            for name, resource in self.transformed["Resources"].items()
            if not resource["Type"].startswith(_NOT_ON_A_LAPTOP)
            and "ScheduleExpression" not in resource.get("Properties", {})  # it has no clock
        }
        for name, resource in resources.items():
            resource.get("Properties", {}).pop("Layers", None)
            if resource["Type"] in _NAMES:
                own = f"{STACK_NAME}-{name}".lower()
                resource.setdefault("Properties", {}).setdefault(_NAMES[resource["Type"]], own)
        properties = self.transformed["Resources"][self._machine]["Properties"]
        outputs = {
            f"{_SUBSTITUTION}{name}": {"Value": value}
            for name, value in properties["DefinitionSubstitutions"].items()
        }
        missing = [name for name in self.transformed["Resources"] if name not in resources]
        outputs |= {
            name: output
            for name, output in self.transformed["Outputs"].items()
            if not any(re.search(rf"\b{each}\b", str(output["Value"])) for each in missing)
        }
        return {**self.transformed, "Resources": resources, "Outputs": outputs}

    def workflow(self, outputs: Mapping[str, str]) -> dict[str, Any]:
        """The definition with its substitutions, as the stack's outputs give them."""
        text = re.sub(r"\$\{(\w+)\}", lambda match: outputs[_SUBSTITUTION + match[1]], self.definition)
        workflow: dict[str, Any] = yaml_parse(text)
        return workflow

    def parameter_default(self, name: str) -> str:
        """The default of a parameter."""
        return str(self.source["Parameters"][name]["Default"])

    def routes(self) -> Iterator[Route]:
        """The routes of the HTTP API."""
        (api,) = self._of_type(self.transformed, "AWS::ApiGatewayV2::Api")
        paths = self.transformed["Resources"][api]["Properties"]["Body"]["paths"]
        for path, methods in paths.items():
            for method, operation in methods.items():
                uri = operation["x-amazon-apigateway-integration"]["uri"]["Fn::Sub"]
                (function,) = re.findall(r"\$\{(\w+)\.Arn\}", uri)
                yield Route(method.upper(), path, function)

    def queue_mappings(self) -> Iterator[QueueMapping]:
        """The queues that functions are fed from."""
        for name in self._of_type(self.transformed, "AWS::Lambda::EventSourceMapping"):
            properties = self.transformed["Resources"][name]["Properties"]
            queue, _ = properties["EventSourceArn"]["Fn::GetAtt"]
            yield QueueMapping(queue, properties["FunctionName"]["Ref"], properties["BatchSize"])

    def announcing_buckets(self) -> list[str]:
        """The buckets that tell EventBridge of their objects."""
        return [
            name
            for name in self._of_type(self.transformed, "AWS::S3::Bucket")
            if "EventBridgeConfiguration"
            in self.transformed["Resources"][name]["Properties"].get("NotificationConfiguration", {})
        ]

    def _deployable(self, root: Path) -> dict[str, Any]:
        """The template as `sam package` leaves it: code in a bucket, the definition inside."""
        template: dict[str, Any] = yaml_parse((root / "template.yaml").read_text("utf-8"))
        template["Globals"]["Function"]["CodeUri"] = f"s3://{CODE_BUCKET}/code.zip"
        for name in self._of_type(template, "AWS::Serverless::LayerVersion"):
            template["Resources"][name]["Properties"]["ContentUri"] = f"s3://{CODE_BUCKET}/layer.zip"
        machine = template["Resources"][self._machine]["Properties"]
        del machine["DefinitionUri"]
        machine["Definition"] = yaml_parse(self.definition)
        return template

    @staticmethod
    def _of_type(template: Mapping[str, Any], kind: str) -> list[str]:
        return [name for name, each in template["Resources"].items() if each["Type"] == kind]


class _NoPolicies:
    """The translator asks for the managed policies of an account; the template names none."""

    def load(self) -> dict[str, str]:
        return {}
