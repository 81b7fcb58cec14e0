"""The patches that keep what moto would compute again. If a test fails, a new version of moto moved what is patched."""

import json
import uuid
from typing import Any

import boto3
import pytest
from antlr4.RuleContext import RuleContext  # type: ignore[import-untyped]
from moto.core.serialize import AttributePicker
from moto.events.utils import EventTemplateParser
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser

from local.moto_patches import caches
from local.stack import LocalStack

pytestmark = pytest.mark.usefixtures("local_stack")


def test_the_actions_of_a_service_are_listed_once() -> None:
    """`method_names_from_class`, in the module of responses."""
    client = boto3.client("sts")
    client.get_caller_identity()
    before = caches._action_names.cache_info()

    client.get_caller_identity()

    after = caches._action_names.cache_info()
    assert (after.hits, after.misses) == (before.hits + 1, before.misses)


def test_the_keys_of_a_member_are_looked_up_once(
    local_stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`ResponseSerializer.get_value`, for values that are dictionaries."""
    dynamodb, table = local_stack.deployed.dynamodb, local_stack.deployed.table
    key = {"pk": {"S": f"CACHES#{uuid.uuid4()}"}, "sk": {"S": "ITEM"}}
    values: Any = {
        "numbers": {"L": [{"N": "1"}, {"N": "2"}]},
        "map": {"M": {"null": {"NULL": True}, "text": {"S": ""}}},
    }
    dynamodb.put_item(TableName=table, Item={**key, **values})
    dynamodb.get_item(TableName=table, Key=key)
    looked_up: list[str] = []
    get_possible_keys = AttributePicker.get_possible_keys

    def count(self: AttributePicker, context: object) -> object:
        looked_up.append(str(context))
        return get_possible_keys(self, context)  # type: ignore[arg-type]

    monkeypatch.setattr(AttributePicker, "get_possible_keys", count)

    assert dynamodb.get_item(TableName=table, Key=key)["Item"] == {**key, **values}
    assert not [context for context in looked_up if "AttributeValue" in context]


def test_the_texts_of_a_definition_are_put_together_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """`RuleContext.getText`, while a definition becomes the components of an execution."""
    state = {"Type": "Pass", "Comment": uuid.uuid4().hex, "End": True}
    definition = json.dumps({"StartAt": "Pass", "States": {"Pass": state}})
    AmazonStateLanguageParser.parse(definition)
    put_together: list[RuleContext] = []
    get_text = caches._get_text

    def count(node: RuleContext) -> str:
        put_together.append(node)
        return str(get_text(node))

    monkeypatch.setattr(caches, "_get_text", count)
    AmazonStateLanguageParser.parse(definition)

    assert put_together == []


def test_the_texts_of_a_definition_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """`from_string_literal`, in the module of the preprocessor."""
    text = f'a "quoted" \\ and\n wrapped ä {uuid.uuid4().hex}'
    state = {"Type": "Pass", "Comment": text, "End": True, "Output": text}
    definition = json.dumps({"QueryLanguage": "JSONata", "StartAt": "Pass", "States": {"Pass": state}})
    AmazonStateLanguageParser.parse(definition)
    before = caches._literal.cache_info()

    AmazonStateLanguageParser.parse(definition)

    after = caches._literal.cache_info()
    assert after.hits > before.hits
    assert after.misses == before.misses


def test_a_path_of_a_rule_is_parsed_once() -> None:
    """`parse`, which moto imports from jsonpath_ng.ext for each event."""
    path = f"$.detail.x{uuid.uuid4().hex}"
    before = caches._parse_path.cache_info()
    for _ in range(2):
        event: Any = {"detail": {path.rpartition(".")[2]: 3}, "ingestion-time": 0}
        assert EventTemplateParser.parse('{"a": <value>}', {"value": path}, event) == {"a": 3}

    after = caches._parse_path.cache_info()
    assert (after.hits, after.misses) == (before.hits + 1, before.misses + 1)
