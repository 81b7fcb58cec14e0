"""One name, one thing: state, handler, function, substitution and sample event bear the same name."""

import re
from importlib import import_module
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse
from support.sample_events import samples

import tools
from local.config import ROOT
from local.template import Template
from upcall.domain.assistants import all_assistants

TEMPLATE = Template(ROOT)
RESOURCES: dict[str, Any] = TEMPLATE.source["Resources"]
FUNCTIONS = {
    name: resource["Properties"]
    for name, resource in RESOURCES.items()
    if resource["Type"] == "AWS::Serverless::Function"
}
HANDLERS = sorted(path.stem for path in (ROOT / "src" / "handlers").glob("[!_]*.py"))
SUBSTITUTIONS: dict[str, Any] = RESOURCES["RunStateMachine"]["Properties"]["DefinitionSubstitutions"]


def camel(snake: str) -> str:
    return "".join(word.capitalize() for word in snake.split("_"))


def block(name: str) -> str:
    """The template block of a tool, to paste; one with an effect needs the table that it is noted in."""
    pure = f"""
  {camel(name)}Function:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: !Sub "${{AWS::StackName}}-tool-{name}"
      Handler: tools.{name}.lambda_handler
      Tracing: Disabled
"""
    if tools.find(name).effect == "pure":
        return pure
    return f"""{pure.rstrip()}
      Environment:
        Variables:
          TABLE_NAME: !Ref RunTable
          RETENTION_DAYS: !Ref RetentionDays
      Policies:
        - Statement:
            - Effect: Allow
              Action: [dynamodb:GetItem, dynamodb:PutItem, dynamodb:UpdateItem]
              Resource: !GetAtt RunTable.Arn
"""


@pytest.mark.parametrize("name", HANDLERS)
def test_each_handler_has_its_function(name: str) -> None:
    assert FUNCTIONS[f"{camel(name)}Function"]["Handler"] == f"handlers.{name}.lambda_handler"


@pytest.mark.parametrize("name", tools.names())
def test_each_tool_has_its_function(name: str) -> None:
    properties = FUNCTIONS.get(f"{camel(name)}Function")

    assert properties is not None, f"template.yaml lacks:\n{block(name)}"
    assert properties["Handler"] == f"tools.{name}.lambda_handler"
    assert properties["FunctionName"] == {"Fn::Sub": f"${{AWS::StackName}}-tool-{name}"}


def test_there_is_no_function_without_a_handler_or_a_tool() -> None:
    assert set(FUNCTIONS) == {f"{camel(name)}Function" for name in [*HANDLERS, *tools.names()]}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_handler_imports(function: str) -> None:
    module, _, name = FUNCTIONS[function]["Handler"].rpartition(".")
    assert callable(getattr(import_module(module), name))


def test_each_state_that_calls_a_handler_bears_its_name() -> None:
    workflow = TEMPLATE.workflow({f"Substitution{name}": name for name in SUBSTITUTIONS})
    called = {
        name: state["Arguments"]["FunctionName"]
        for name, state in workflow["States"].items()
        if state["Type"] == "Task" and "FunctionName" in state["Arguments"]
    }
    in_workflow = {name for name in HANDLERS if f"{camel(name)}FunctionArn" in SUBSTITUTIONS}

    assert called == {
        name.replace("_", " ").capitalize(): f"{camel(name)}FunctionArn" for name in in_workflow
    }


def test_the_substitutions_of_template_and_workflow_are_the_same() -> None:
    assert set(re.findall(r"\$\{(\w+)\}", TEMPLATE.definition)) == set(SUBSTITUTIONS)


@pytest.mark.parametrize("name", [name for name in SUBSTITUTIONS if name.endswith("FunctionArn")])
def test_each_substitution_is_the_function_of_its_name(name: str) -> None:
    assert SUBSTITUTIONS[name] == {"Fn::GetAtt": [name.removesuffix("Arn"), "Arn"]}


def test_each_function_has_a_sample_event_and_no_sample_is_left_over() -> None:
    assert [path.stem for path in samples()] == sorted([*HANDLERS, *tools.names()])


@pytest.mark.parametrize("path", samples(), ids=lambda path: path.stem)
def test_each_sample_event_is_used_by_a_test(path: Any) -> None:
    tests = (ROOT / "tests" / "unit").rglob("test_*.py")
    assert any(f'sample("{path.stem}"' in test.read_text("utf-8") for test in tests)


@pytest.mark.parametrize("name", all_assistants())
def test_each_tool_of_an_assistant_has_a_function(name: str) -> None:
    for tool in all_assistants()[name].tools:
        assert f"{camel(tool)}Function" in FUNCTIONS


@pytest.mark.parametrize("name", tools.names())
def test_the_block_to_paste_is_one_that_works(name: str) -> None:
    pasted = yaml_parse(f"Resources:{block(name)}")["Resources"][f"{camel(name)}Function"]["Properties"]
    properties = FUNCTIONS[f"{camel(name)}Function"]

    assert pasted["Handler"] == properties["Handler"]
    assert pasted["FunctionName"] == properties["FunctionName"]
    variables = properties.get("Environment", {}).get("Variables", {})
    assert pasted.get("Environment", {}).get("Variables", {}).items() <= variables.items()
