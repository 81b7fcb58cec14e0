"""What an operator hears of: each function that no caller waits for is watched, each alarm tells somebody."""

import json
from typing import Any

import pytest

import tools
from local.config import ROOT
from local.template import Template

TEMPLATE = Template(ROOT)
RESOURCES: dict[str, Any] = TEMPLATE.transformed["Resources"]
ALARMS = {
    name: resource["Properties"]
    for name, resource in RESOURCES.items()
    if resource["Type"] == "AWS::CloudWatch::Alarm"
}
MOST_METRICS = 10
"""Of one alarm, says CloudWatch."""


def watched() -> list[str]:
    """The functions whose errors an alarm counts."""
    return [
        each["MetricStat"]["Metric"]["Dimensions"][0]["Value"]["Ref"]
        for alarm in ALARMS.values()
        for each in alarm.get("Metrics", [])
        if each.get("MetricStat", {}).get("Metric", {}).get("Namespace") == "AWS/Lambda"
    ]


def test_each_function_that_no_caller_waits_for_is_in_one_alarm() -> None:
    others = {
        name
        for name, each in RESOURCES.items()
        if each["Type"] == "AWS::Lambda::Function" and each["Properties"]["Handler"].startswith("handlers.")
    }
    of_the_api = {route.function for route in TEMPLATE.routes()}

    assert sorted(watched()) == sorted(others - of_the_api)


def test_all_dead_letters_are_watched() -> None:
    metrics = ALARMS["DeadLettersAlarm"]["Metrics"]
    counted = {
        each["MetricStat"]["Metric"]["Dimensions"][0]["Value"]["Fn::GetAtt"][0]
        for each in metrics
        if "MetricStat" in each
    }

    assert counted == {name for name in RESOURCES if name.endswith("DeadLetterQueue")}


def test_a_tool_is_watched_by_the_words_that_it_logs_and_needs_no_line_of_its_own() -> None:
    logged = (ROOT / "src" / "upcall" / "tool" / "handler.py").read_text("utf-8")

    assert RESOURCES["ToolFailedFilter"]["Properties"]["FilterPattern"] == '{ $.message = "tool failed" }'
    assert 'logger.exception("tool failed", ' in logged
    counted = [
        each["Properties"]["MetricTransformations"][0]
        for each in RESOURCES.values()
        if each["Type"] == "AWS::Logs::MetricFilter"
    ]
    for each in counted:
        assert each["MetricNamespace"] == ALARMS["ToolErrorsAlarm"]["Namespace"]
        assert each["MetricName"] == ALARMS["ToolErrorsAlarm"]["MetricName"]


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_tells_its_beginning_and_its_end_and_is_quiet_when_nothing_runs(name: str) -> None:
    tells = {"Fn::If": ["HasAlarmEmail", [{"Ref": "AlarmTopic"}], {"Ref": "AWS::NoValue"}]}

    assert ALARMS[name]["AlarmActions"] == tells
    assert ALARMS[name]["OKActions"] == tells
    assert ALARMS[name]["TreatMissingData"] == "notBreaching"
    assert len(ALARMS[name].get("Metrics", [])) <= MOST_METRICS


@pytest.mark.parametrize("name", ALARMS)
def test_operating_says_what_to_do_about_an_alarm(name: str) -> None:
    assert f"`{name}`" in (ROOT / "docs" / "operating.md").read_text("utf-8")


def test_all_but_tools_are_traced() -> None:
    untraced = {
        each["Properties"]["Handler"]
        for each in RESOURCES.values()
        if each["Type"] == "AWS::Lambda::Function" and "TracingConfig" not in each["Properties"]
    }

    assert untraced == {f"tools.{name}.lambda_handler" for name in tools.names()}
    assert RESOURCES["RunStateMachine"]["Properties"]["TracingConfiguration"] == {"Enabled": True}


def test_the_workflow_logs_no_prompts_and_no_outputs() -> None:
    logging = RESOURCES["RunStateMachine"]["Properties"]["LoggingConfiguration"]

    assert logging["IncludeExecutionData"] is False
    assert TEMPLATE.parameter_default("WorkflowLogLevel") == "ERROR"


def test_the_access_log_is_json_and_holds_no_path_no_query_and_no_body() -> None:
    written = RESOURCES["HttpApiApiGatewayDefaultStage"]["Properties"]["AccessLogSettings"]["Format"]

    assert "\n" not in written
    fields = json.loads(written)
    assert fields["route"] == "$context.routeKey"
    assert not any(word in written for word in ("$context.path", "querystring", "body"))


def test_the_logs_are_kept_as_long_as_the_runs() -> None:
    groups = [each["Properties"] for each in RESOURCES.values() if each["Type"] == "AWS::Logs::LogGroup"]

    assert len(groups) >= 3
    assert all(group["RetentionInDays"] == {"Ref": "RetentionDays"} for group in groups)


def test_what_is_sent_is_sent_encrypted() -> None:
    for kind in ("AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy"):
        (policy,) = (each["Properties"] for each in RESOURCES.values() if each["Type"] == kind)
        denials = [
            each["Condition"]["Bool"]
            for each in policy["PolicyDocument"]["Statement"]
            if each["Effect"] == "Deny" and each["Principal"] == "*"
        ]
        assert denials == [{"aws:SecureTransport": False}]


def test_every_parameter_is_in_a_group() -> None:
    groups = TEMPLATE.source["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    grouped = [name for group in groups for name in group["Parameters"]]

    assert sorted(grouped) == sorted(TEMPLATE.source["Parameters"])
