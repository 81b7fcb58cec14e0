"""What `upcall doctor` finds in the layers of a stack."""

from collections.abc import Mapping
from typing import Any

import pytest
from support.doctor import findings
from support.fake_lambda_api import FakeLambdaApi, archive, fake_lambda_api, function

from cli.doctor import remote_file
from cli.doctor.deployed_stack import DeployedStack, Resource
from cli.doctor.layer_checks import check_layers
from local.config import AWS_ENVIRONMENT

SOURCE = ["python/lxml/__init__.py", "python/six.py"]
BYTECODE = ["python/lxml/__pycache__/__init__.cpython-313.pyc"]
ARM = "python/lxml/etree.cpython-313-aarch64-linux-gnu.so"
X86 = "python/lxml/etree.cpython-313-x86_64-linux-gnu.so"
ANY_PYTHON = "python/cryptography/hazmat/bindings/_rust.abi3.so"


def check(
    monkeypatch: pytest.MonkeyPatch,
    functions: Mapping[str, Mapping[str, Any]],
    layers: Mapping[str, bytes],
    **options: Any,
) -> tuple[list[tuple[str, str]], FakeLambdaApi]:
    """The status and message of each finding, and the API that was asked."""
    resources = {f"{name}Function": Resource("AWS::Lambda::Function", name) for name in functions}
    stack = DeployedStack("upcall", "CREATE_COMPLETE", {}, {}, resources)
    with fake_lambda_api(FakeLambdaApi(functions, layers, **options)) as api:
        for name, value in {**AWS_ENVIRONMENT, "AWS_ENDPOINT_URL": api.url}.items():
            monkeypatch.setenv(name, value)
        return [(each.status, each.message) for each in findings(check_layers, stack)], api


def test_layers_that_are_built_for_their_functions_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    content = archive([*SOURCE, *BYTECODE, ARM, ANY_PYTHON])
    functions = {"A": function("runtime:3"), "B": function("runtime:3", "extraction:1")}
    found, api = check(monkeypatch, functions, {"runtime:3": content, "extraction:1": content})

    assert found == [("ok", "2 layers are built for their functions, with bytecode")]
    assert len(api.downloads) == 2


@pytest.mark.parametrize(
    ("architecture", "module", "built_for"),
    [
        ("arm64", X86, "x86_64-linux-gnu"),
        ("x86_64", ARM, "aarch64-linux-gnu"),
        ("arm64", "python/lxml/etree.cpython-313-darwin.so", "darwin"),
        ("x86_64", "python/lxml/etree.cpython-313-x86_64-linux-musl.so", "x86_64-linux-musl"),
    ],
)
def test_a_layer_for_another_architecture_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, architecture: str, module: str, built_for: str
) -> None:
    functions = {each: function("runtime:3", architecture=architecture) for each in "ABC"}
    found, _ = check(monkeypatch, functions, {"runtime:3": archive([*SOURCE, *BYTECODE, module])})

    assert found == [
        (
            "failed",
            f"layer runtime:3 is built for {built_for}, but the architecture of AFunction and 2 more is "
            f"{architecture}: make build ARCHITECTURE={architecture}, then deploy",
        )
    ]


def test_a_layer_for_another_python_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    functions = {"A": function("runtime:3", runtime="python3.14")}
    bytecode = ["python/__pycache__/six.cpython-314.pyc"]
    found, _ = check(monkeypatch, functions, {"runtime:3": archive([*SOURCE, *bytecode, ARM])})

    assert found == [
        (
            "failed",
            "layer runtime:3 is built for Python 3.13, but the runtime of AFunction is python3.14: "
            "make build ARCHITECTURE=arm64, then deploy",
        )
    ]


@pytest.mark.parametrize("bytecode", [[], ["python/__pycache__/six.cpython-311.pyc"]])
def test_a_layer_without_bytecode_is_a_warning(monkeypatch: pytest.MonkeyPatch, bytecode: list[str]) -> None:
    layers = {"runtime:3": archive([*SOURCE, *bytecode, ARM])}
    ((status, message),), _ = check(monkeypatch, {"A": function("runtime:3")}, layers)

    assert status == "warning"
    assert message.startswith("layer runtime:3 has no bytecode for python3.13, so cold starts of AFunction")
    assert message.endswith("install python3.13 on this machine, make build ARCHITECTURE=arm64, then deploy")


def test_a_layer_without_python_needs_no_bytecode(monkeypatch: pytest.MonkeyPatch) -> None:
    found, _ = check(monkeypatch, {"A": function("agent:1")}, {"agent:1": archive(["extensions/agent"])})

    assert [status for status, _ in found] == ["ok"]


def test_only_the_directory_of_a_large_layer_is_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    content = archive([*SOURCE, *BYTECODE, ARM], padding=5_000_000)
    found, api = check(monkeypatch, {"A": function("runtime:3")}, {"runtime:3": content})

    assert [status for status, _ in found] == ["ok"]
    assert api.downloads == [("bytes=-2000000", 2_000_000)]


def test_a_directory_that_is_larger_than_the_end_of_the_file_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_file, "TAIL_BYTES", 100)
    many = [f"python/{number}.py" for number in range(2000)]
    content = archive([X86, *many, *BYTECODE], padding=100_000)
    found, api = check(monkeypatch, {"A": function("runtime:3")}, {"runtime:3": content})

    assert [status for status, _ in found] == ["failed"]
    assert sum(sent for _, sent in api.downloads) < len(content)


def test_a_server_without_ranges_sends_the_whole_file(monkeypatch: pytest.MonkeyPatch) -> None:
    content = archive([*SOURCE, *BYTECODE, ARM], padding=3_000_000)
    found, api = check(
        monkeypatch, {"A": function("runtime:3")}, {"runtime:3": content}, supports_ranges=False
    )

    assert [status for status, _ in found] == ["ok"]
    assert [sent for _, sent in api.downloads] == [len(content)]


def test_a_file_that_is_too_large_to_be_sent_as_a_whole_could_not_be_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(remote_file, "MAX_FILE_BYTES", 1_000)
    found, _ = check(
        monkeypatch, {"A": function("runtime:3")}, {"runtime:3": bytes(100_000)}, supports_ranges=False
    )

    assert found == [("unknown", "layer runtime:3: its content could not be read: more than 1,000 bytes")]


@pytest.mark.parametrize(
    ("layers", "reason"),
    [
        ({}, "status 403"),
        ({"runtime:3": b"not a ZIP archive"}, "File is not a zip file"),
        ({"runtime:3": b""}, "File is not a zip file"),
    ],
)
def test_a_layer_that_cannot_be_read_is_named(
    monkeypatch: pytest.MonkeyPatch, layers: dict[str, bytes], reason: str
) -> None:
    found, _ = check(monkeypatch, {"A": function("runtime:3")}, layers)

    assert found == [("unknown", f"layer runtime:3: its content could not be read: {reason}")]


def test_a_missing_permission_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    found, _ = check(monkeypatch, {"A": function("runtime:3")}, {}, allows_layers=False)

    reason = "your AWS credentials lack the permission lambda:GetLayerVersion"
    assert found == [("unknown", f"layer runtime:3: {reason}")]


def test_functions_without_layers_are_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    found, _ = check(monkeypatch, {"A": {"PackageType": "Zip"}}, {})

    assert found == [("failed", "no function has a layer with its packages; build and deploy it again")]
