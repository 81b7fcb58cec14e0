"""What the local stack reads from `template.yaml` and the definitions of the workflows.

No table, function, route or state is listed anywhere else: all of them are read from the result of the same
transformation that AWS applies.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.config import ROOT, STACK_NAME
from local.transform_template import parse_yaml, transform_template

_NOT_DEPLOYED = (
    "AWS::Lambda::EventSourceMapping",
    "AWS::ApiGatewayV2::",
    "AWS::CloudFormation::Stack",
    "AWS::Lambda::Permission",
    "AWS::Lambda::LayerVersion",
    "AWS::S3::BucketPolicy",
    "AWS::SQS::QueuePolicy",
)
"""Types of resources that have no effect on the local stack, or that it implements itself."""

_NAME_PROPERTIES = {
    "AWS::DynamoDB::Table": "TableName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::StepFunctions::StateMachine": "StateMachineName",
}
"""Resources that are named after the stack and their logical id, as in `events/env.json`. moto's own are
random."""

_SUBSTITUTION = "Substitution"


@dataclass(frozen=True)
class Route:
    """A route of the HTTP API and the logical id of its function."""

    method: str
    path: str
    function: str


@dataclass(frozen=True)
class Cors:
    """Which pages of other origins may use the HTTP API, and how."""

    origins: tuple[str, ...]
    methods: tuple[str, ...]
    headers: tuple[str, ...]
    exposed_headers: tuple[str, ...]
    max_age_seconds: int


@dataclass(frozen=True)
class QueueMapping:
    """The logical ids of a queue and of the function that its messages invoke, `batch` of them at most."""

    queue: str
    function: str
    batch: int


class Template:
    """The template in this folder, as it is (`source`) and after the SAM transformation (`transformed`)."""

    def __init__(self, root: Path = ROOT) -> None:
        template = transform_template(root)
        self.source = template.source
        self.transformed = template.transformed
        self.definitions = template.definitions
        self._root = root

    def deployable(self) -> dict[str, Any]:
        """The template for moto's CloudFormation, without resources that have no effect on the local stack.

        The substitutions of the workflows' definitions become outputs, so that CloudFormation resolves them.
        Variables of functions that refer to a resource that is left out are empty.
        """
        resources = {
            name: self._deployable_resource(name, resource)
            for name, resource in self.transformed["Resources"].items()
            if not resource["Type"].startswith(_NOT_DEPLOYED)
            and "ScheduleExpression" not in resource.get("Properties", {})  # moto runs no schedules
        }
        substitutions = {
            name: value
            for machine in self.definitions
            for name, value in self.transformed["Resources"][machine]["Properties"][
                "DefinitionSubstitutions"
            ].items()
        }
        outputs = {f"{_SUBSTITUTION}{name}": {"Value": value} for name, value in substitutions.items()}
        missing = [name for name in self.transformed["Resources"] if name not in resources]

        def refers_to_missing(value: object) -> bool:
            return any(re.search(rf"\b{name}\b", str(value)) for name in missing)

        outputs |= {
            name: output
            for name, output in self.transformed["Outputs"].items()
            if not refers_to_missing(output["Value"])
        }
        for resource in resources.values():
            if environment := resource["Properties"].get("Environment"):
                variables = {
                    name: "" if refers_to_missing(value) else value
                    for name, value in environment["Variables"].items()
                }
                resource["Properties"]["Environment"] = {"Variables": variables}
        return {**self.transformed, "Resources": resources, "Outputs": outputs}

    def workflow(self, machine: str, outputs: Mapping[str, str]) -> dict[str, Any]:
        """A workflow's definition with its substitutions, which are outputs of the deployable template.

        `machine` is the logical id of the state machine.
        """
        substitutions = {
            name.removeprefix(_SUBSTITUTION): value
            for name, value in outputs.items()
            if name.startswith(_SUBSTITUTION)
        }
        return parse_workflow(self.definitions[machine], substitutions)

    def nested_templates(self) -> dict[str, dict[str, Any]]:
        """The templates of the nested stacks, by the logical ids of the stacks."""
        resources = self.source["Resources"]
        files = {
            name: self._root / resources[name]["Properties"]["TemplateURL"]
            for name in self._of_type("AWS::CloudFormation::Stack")
        }
        return {name: parse_yaml(file.read_text("utf-8")) for name, file in files.items()}

    def parameter_default(self, name: str) -> str:
        """The default of a parameter."""
        return str(self.source["Parameters"][name]["Default"])

    def routes(self) -> Iterator[Route]:
        """The routes of the HTTP API, also those whose function has a condition that does not hold."""
        (api,) = self._of_type("AWS::ApiGatewayV2::Api")
        paths = self.transformed["Resources"][api]["Properties"]["Body"]["paths"]
        for path, methods in paths.items():
            for method, conditional in _without_condition(methods).items():
                operation = _without_condition(conditional)
                uri = _without_condition(operation["x-amazon-apigateway-integration"]["uri"])["Fn::Sub"]
                (function,) = re.findall(r"\$\{(\w+)\.Arn\}", uri)
                yield Route(method.upper(), path, function)

    def cors(self, origins: str) -> Cors | None:
        """The rules of the HTTP API for pages of these origins, with commas between them; None for none."""
        (api,) = self._of_type("AWS::ApiGatewayV2::Api")
        rules = _without_condition(
            self.transformed["Resources"][api]["Properties"]["Body"]["x-amazon-apigateway-cors"]
        )
        if not origins:
            return None
        return Cors(
            origins=tuple(origins.split(",")),
            methods=tuple(rules["allowMethods"]),
            headers=tuple(rules["allowHeaders"]),
            exposed_headers=tuple(rules["exposeHeaders"]),
            max_age_seconds=rules["maxAge"],
        )

    def queue_mappings(self) -> Iterator[QueueMapping]:
        """The event source mappings of queues."""
        for name in self._of_type("AWS::Lambda::EventSourceMapping"):
            properties = self.transformed["Resources"][name]["Properties"]
            queue, _ = properties["EventSourceArn"]["Fn::GetAtt"]
            yield QueueMapping(queue, properties["FunctionName"]["Ref"], properties["BatchSize"])

    def buckets_with_events(self) -> list[str]:
        """The logical ids of the buckets that send events of their objects to EventBridge."""
        return [
            name
            for name in self._of_type("AWS::S3::Bucket")
            if "EventBridgeConfiguration"
            in self.transformed["Resources"][name]["Properties"].get("NotificationConfiguration", {})
        ]

    def _of_type(self, resource_type: str) -> list[str]:
        resources = self.transformed["Resources"]
        return [name for name, each in resources.items() if each["Type"] == resource_type]

    @staticmethod
    def _deployable_resource(logical_id: str, resource: Mapping[str, Any]) -> dict[str, Any]:
        properties = {key: value for key, value in resource.get("Properties", {}).items() if key != "Layers"}
        if resource["Type"] == "AWS::Lambda::Function":
            properties["Code"] = {"ZipFile": "# the code is in this process"}
        if name_property := _NAME_PROPERTIES.get(resource["Type"]):
            properties.setdefault(name_property, f"{STACK_NAME}-{logical_id}".lower())
        return {**resource, "Properties": properties}


def parse_workflow(definition: str, substitutions: Mapping[str, str]) -> dict[str, Any]:
    """A workflow of this YAML, with its `${Name}`s replaced. Raises KeyError for one that is missing."""
    text = re.sub(r"\$\{(\w+)\}", lambda match: substitutions[match[1]], definition)
    workflow: dict[str, Any] = parse_yaml(text)
    return workflow


def _without_condition(value: dict[str, Any]) -> dict[str, Any]:
    """What a value is if its condition holds: SAM puts one around a route whose function has one."""
    return value["Fn::If"][1] if "Fn::If" in value else value
