"""`upcall tools` and `upcall tool`, which start no stack."""

import json
from pathlib import Path
from threading import Event

import boto3
import pytest

import tools
from cli.errors import CommandError
from cli.tool_call import call, function_settings
from local.stack import LocalStack
from upcall.tool import tool

from .conftest import Upcall, one_line_error


def test_tools_are_listed_with_what_the_model_sees(upcall: Upcall) -> None:
    listed = upcall("tools").stdout

    assert "fetch  pure  upcall-tool-fetch" in listed
    assert "notify  once  upcall-tool-notify" in listed
    assert "offset (integer or null)  Where in the text to begin." in listed

    listed_tools = {each["name"]: each for each in json.loads(upcall("tools", "--json").stdout)}
    assert set(listed_tools) == {"fetch", "notify", "read_object"}
    assert listed_tools["fetch"]["parameters"]["additionalProperties"] is False
    assert listed_tools["notify"]["effect"] == "once"


def test_a_tool_is_called_with_parameters_or_with_json(upcall: Upcall) -> None:
    rejected = upcall("tool", "fetch", "url=http://127.0.0.1/")
    assert (rejected.returncode, rejected.stdout) == (1, "")
    assert json.loads(rejected.stderr) == {"error": "127.0.0.1 is not a public address"}

    output = json.loads(upcall("tool", "fetch", '{"url": "http://10.0.0.1/"}', "--json").stdout)
    assert output["outcome"] == "error"
    assert json.loads(output["output"]) == {"error": "10.0.0.1 is not a public address"}


def test_an_unknown_tool_or_argument_is_a_one_line_error(upcall: Upcall) -> None:
    assert (
        one_line_error(upcall("tool", "fly"))
        == "upcall: there is no tool 'fly'; there is fetch, notify, read_object"
    )
    assert one_line_error(upcall("tool", "fetch", "url")) == (
        "upcall: 'url' is not parameter=value; the parameters are url, offset"
    )


def test_fetch_reads_a_sample_page_without_a_running_stack(upcall: Upcall, tmp_path: Path) -> None:
    page = upcall("tool", "fetch", "url=http://127.0.0.1:8780/tides", UPCALL_STATE_FOLDER=str(tmp_path))

    assert page.returncode == 0, page.stderr
    assert json.loads(page.stdout)["title"] == "Why the tide comes twice a day"
    assert '"message":"tool call"' in (tmp_path / "functions.log").read_text("utf-8")


def test_fetch_reads_a_sample_page_of_the_running_stack(
    upcall_on_running_stack: Upcall, local_stack: LocalStack
) -> None:
    page = upcall_on_running_stack("tool", "fetch", f"url={local_stack.endpoints.pages}/tides")

    assert page.returncode == 0, page.stderr
    assert json.loads(page.stdout)["title"] == "Why the tide comes twice a day"


def test_a_tool_that_reads_the_bucket_gets_an_empty_one_without_a_running_stack(upcall: Upcall) -> None:
    missing = upcall("tool", "read_object", "key=notes.txt")

    assert (missing.returncode, json.loads(missing.stderr)) == (
        1,
        {"error": "there is no object 'notes.txt'"},
    )


def test_a_tool_that_reads_the_bucket_gets_that_of_the_running_stack(
    upcall_on_running_stack: Upcall, local_stack: LocalStack
) -> None:
    inbox = local_stack.endpoints.inbox
    boto3.client("s3").put_object(Bucket=inbox, Key="by-hand.txt", Body=b"Hello.", ContentType="text/plain")
    read = upcall_on_running_stack("tool", "read_object", "key=by-hand.txt")

    assert read.returncode == 0, read.stderr
    assert json.loads(read.stdout)["text"] == "Hello."


def test_a_tool_with_an_effect_is_called_with_a_table_of_its_own(upcall: Upcall) -> None:
    refused = upcall("tool", "notify", "message=Hello.")

    assert refused.returncode == 1
    assert "no webhook is " in json.loads(refused.stderr)["error"]


def test_a_tool_has_the_environment_and_the_timeout_of_its_function() -> None:
    fetch = function_settings.read_function_settings("fetch")
    read_object = function_settings.read_function_settings("read_object")

    assert (fetch.timeout_seconds, fetch.resources) == (60, frozenset())
    assert fetch.environment["ALLOWED_DOMAINS"] == ""
    assert fetch.environment["POWERTOOLS_METRICS_NAMESPACE"] == "Upcall/upcall"
    assert (read_object.resources, read_object.environment["BUCKET_NAME"]) == (
        frozenset({"InboxBucket"}),
        "upcall-inboxbucket",
    )


def test_a_reference_that_has_no_local_value_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    properties = {
        "Handler": "tools.fetch.lambda_handler",
        "Environment": {"Variables": {"QUEUE_URL": {"Ref": "RequestQueue"}}},
    }
    template = function_settings.read_template()
    resources = {"Fetch": {"Properties": properties}, "RequestQueue": {"Type": "AWS::SQS::Queue"}}
    changed = {**template, "Resources": {**template["Resources"], **resources, "FetchFunction": {}}}
    monkeypatch.setattr(function_settings, "read_template", lambda: changed)

    with pytest.raises(CommandError, match="cannot resolve the reference to RequestQueue in template.yaml"):
        function_settings.read_function_settings("fetch")


def test_a_tool_without_a_function_in_the_template_is_an_error() -> None:
    with pytest.raises(CommandError, match="template.yaml has no function for the tool 'fly'"):
        function_settings.read_function_settings("fly")


def test_a_tool_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    released = Event()

    def fetch() -> str:
        """Wait."""
        released.wait(30)
        return "Done."

    monkeypatch.setattr(tools, "find", lambda _: tool(fetch))
    monkeypatch.setattr(call, "STATE_FOLDER", tmp_path)
    settings = function_settings.FunctionSettings(0.2, {}, frozenset())
    monkeypatch.setattr(call, "read_function_settings", lambda _: settings)
    monkeypatch.setattr(call, "find_running_endpoints", lambda: None)
    output = call.call_tool("fetch", [])
    released.set()

    assert (output.outcome, json.loads(output.output)["error"]) == (
        "error",
        "fetch was not done after 0.1 seconds",
    )
