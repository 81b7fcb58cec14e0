"""Each handler and each tool has a function, and each function a handler and a sample event."""

import re
from importlib import import_module
from pathlib import Path

import pytest
from support.sample_events import sample_event_files
from support.template_blocks import tool_block
from support.templates import FUNCTIONS, HANDLERS, function_id

import tools
from local.config import ROOT
from local.transform_template import parse_yaml
from upcall.domain.assistants import all_assistants


@pytest.mark.parametrize("name", tools.names())
def test_each_tool_has_its_function(name: str) -> None:
    if function_id(name) not in FUNCTIONS:
        pytest.fail(f"template.yaml lacks:\n{tool_block(name)}", pytrace=False)

    properties = FUNCTIONS[function_id(name)]
    assert properties["Handler"] == f"tools.{name}.lambda_handler"
    assert properties["FunctionName"] == {"Fn::Sub": f"${{AWS::StackName}}-tool-{name}"}


def test_there_is_no_function_without_a_handler_or_a_tool() -> None:
    assert set(FUNCTIONS) == {function_id(name) for name in [*HANDLERS, *tools.names()]}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_handler_can_be_imported(function: str) -> None:
    module, _, name = FUNCTIONS[function]["Handler"].rpartition(".")
    assert callable(getattr(import_module(module), name))


def test_each_function_has_a_sample_event_and_there_are_no_others() -> None:
    assert [path.stem for path in sample_event_files()] == sorted([*HANDLERS, *tools.names()])


@pytest.mark.parametrize("path", sample_event_files(), ids=lambda path: path.stem)
def test_each_sample_event_is_used_by_a_test(path: Path) -> None:
    tests = [
        *(ROOT / "tests" / "unit").rglob("test_*.py"),
        *(ROOT / "tests" / "integration").rglob("test_*.py"),
    ]
    assert any(re.search(rf'\w\(\s*"{path.stem}"', test.read_text("utf-8")) for test in tests)


@pytest.mark.parametrize("name", all_assistants())
def test_each_tool_of_an_assistant_has_a_function(name: str) -> None:
    for tool in all_assistants()[name].tools:
        assert function_id(tool) in FUNCTIONS


@pytest.mark.parametrize("name", tools.names())
def test_the_printed_block_of_a_tool_is_valid(name: str) -> None:
    pasted = parse_yaml(f"Resources:{tool_block(name)}")["Resources"][function_id(name)]["Properties"]
    properties = FUNCTIONS[function_id(name)]

    assert pasted["Handler"] == properties["Handler"]
    assert pasted["FunctionName"] == properties["FunctionName"]
    granted = [each["Statement"] for each in properties.get("Policies", []) if "Statement" in each]
    assert all(policy["Statement"] in granted for policy in pasted.get("Policies", []))
