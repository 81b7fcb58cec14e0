"""The check of the layers: what they contain must be for the functions that use them.

What a layer declares as its architecture says nothing about what was built. The names of its files do.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zipfile import BadZipFile, ZipFile

import boto3
from botocore.exceptions import ClientError

from cli.doctor.deployed_stack import CLIENT_CONFIG, DeployedStack, describe_error
from cli.doctor.finding import Finding
from cli.doctor.remote_file import RemoteFile, UnreadableFile

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

LABEL = "layers"

PLATFORMS = {"arm64": "aarch64-linux-gnu", "x86_64": "x86_64-linux-gnu"}
"""Lambda's architectures as they are in names of compiled modules (PEP 3149)."""

_MODULE = re.compile(r"\.cpython-(?P<python>3\d+)t?-(?P<platform>[\w-]+)\.so\Z")
_BYTECODE = re.compile(r"/__pycache__/[^/]+\.cpython-(?P<python>3\d+)\.pyc\Z")


@dataclass(frozen=True)
class Target:
    """What a function runs on: `arm64` or `x86_64`, and a runtime such as `python3.13`."""

    architecture: str
    runtime: str

    @property
    def python(self) -> str:
        """The version as it is in names of files: 313."""
        return self.runtime.removeprefix("python").replace(".", "")


@dataclass(frozen=True)
class LayerContent:
    """What a layer's files are made for: platforms, and versions of Python of modules and of bytecode."""

    platforms: frozenset[str]
    module_pythons: frozenset[str]
    bytecode_pythons: frozenset[str]
    has_source: bool


def check_layers(stack: DeployedStack) -> Iterator[Finding]:
    """Each layer must be built for the architecture and the Python of its functions, and have bytecode."""
    client = boto3.client("lambda", config=CLIENT_CONFIG)
    users = _find_users(client, stack)
    if not users:
        yield Finding(LABEL, "failed", "no function has a layer with its packages; build and deploy it again")
        return
    problems = False
    for arn, targets in users.items():
        name = ":".join(arn.split(":")[-2:])
        try:
            content = _read_layer(client, arn)
        except ClientError as error:
            problems = True
            yield Finding(LABEL, "unknown", f"layer {name}: {describe_error('lambda', error)}")
            continue
        except (UnreadableFile, BadZipFile, OSError) as error:
            problems = True
            yield Finding(LABEL, "unknown", f"layer {name}: its content could not be read: {error}")
            continue
        for target, functions in targets.items():
            for finding in _compare(name, content, target, functions):
                problems = True
                yield finding
    if not problems:
        yield Finding(LABEL, "ok", f"{len(users)} layers are built for their functions, with bytecode")


def read_content(names: Iterable[str]) -> LayerContent:
    """What the files with these names are made for."""
    files = list(names)
    modules = [found for file in files if (found := _MODULE.search(file))]
    return LayerContent(
        platforms=frozenset(found["platform"] for found in modules),
        module_pythons=frozenset(found["python"] for found in modules),
        bytecode_pythons=frozenset(found["python"] for file in files if (found := _BYTECODE.search(file))),
        has_source=any(file.endswith(".py") for file in files),
    )


def _find_users(client: "LambdaClient", stack: DeployedStack) -> dict[str, dict[Target, list[str]]]:
    """The functions that use each layer, by what they run on. Layers are by ARN, functions by logical id."""
    users: dict[str, dict[Target, list[str]]] = defaultdict(lambda: defaultdict(list))
    for logical_id, name in stack.of_type("AWS::Lambda::Function").items():
        function = client.get_function_configuration(FunctionName=name)
        target = Target(function.get("Architectures", ["x86_64"])[0], function.get("Runtime", ""))
        for layer in function.get("Layers", []):
            users[layer["Arn"]][target].append(logical_id)
    return users


def _read_layer(client: "LambdaClient", arn: str) -> LayerContent:
    layer, _, version = arn.rpartition(":")
    described = client.get_layer_version(LayerName=layer, VersionNumber=int(version))
    with RemoteFile(described["Content"]["Location"]) as file, ZipFile(file) as archive:
        return read_content(archive.namelist())


def _compare(name: str, content: LayerContent, target: Target, functions: list[str]) -> Iterator[Finding]:
    users = functions[0] if len(functions) == 1 else f"{functions[0]} and {len(functions) - 1} more"
    build = f"make build ARCHITECTURE={target.architecture}, then deploy"
    if others := content.platforms - {PLATFORMS[target.architecture]}:
        built_for = f"layer {name} is built for {' and '.join(sorted(others))}"
        message = f"{built_for}, but the architecture of {users} is {target.architecture}: {build}"
        yield Finding(LABEL, "failed", message)
    if others := content.module_pythons - {target.python}:
        versions = " and ".join(f"{each[0]}.{each[1:]}" for each in sorted(others))
        built_for = f"layer {name} is built for Python {versions}"
        message = f"{built_for}, but the runtime of {users} is {target.runtime}: {build}"
        yield Finding(LABEL, "failed", message)
    if content.has_source and target.python not in content.bytecode_pythons:
        effect = (
            f"layer {name} has no bytecode for {target.runtime}, so cold starts of {users} take twice as long"
        )
        yield Finding(LABEL, "warning", f"{effect}: install {target.runtime} on this machine, {build}")
