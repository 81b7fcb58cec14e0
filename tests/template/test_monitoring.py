"""The nested stack of alarms: it gets its parameters, and every failure without a caller raises an alarm."""

from typing import Any

import pytest
from support.templates import (
    FUNCTIONS,
    MONITORING,
    MONITORING_PARAMETERS,
    RESOURCES,
    TEMPLATE,
    resources_of_type,
)

from local.config import ROOT

ALARMS = resources_of_type("AWS::CloudWatch::Alarm", MONITORING["Resources"])
MAX_METRICS = 10
"""CloudWatch's limit for the metrics of one alarm."""


def parameters_of_metrics(namespace: str, alarms: dict[str, Any] = ALARMS) -> list[Any]:
    """What `template.yaml` passes for the dimension of each metric of a namespace that alarms combine."""
    metrics = [
        each["MetricStat"]["Metric"]
        for alarm in alarms.values()
        for each in alarm.get("Metrics", [])
        if "MetricStat" in each
    ]
    return [
        MONITORING_PARAMETERS[metric["Dimensions"][0]["Value"]["Ref"]]
        for metric in metrics
        if metric["Namespace"] == namespace
    ]


def test_the_nested_stack_gets_every_parameter_and_no_other() -> None:
    assert set(MONITORING_PARAMETERS) == set(MONITORING["Parameters"])


@pytest.mark.parametrize("name", [name for name in MONITORING_PARAMETERS if name.endswith("FunctionName")])
def test_a_parameter_is_the_function_of_its_name(name: str) -> None:
    assert MONITORING_PARAMETERS[name] == {"Ref": name.removesuffix("Name")}
    assert name.removesuffix("Name") in FUNCTIONS


@pytest.mark.parametrize("name", [name for name in MONITORING_PARAMETERS if name.endswith("QueueName")])
def test_a_parameter_is_the_queue_of_its_name(name: str) -> None:
    assert MONITORING_PARAMETERS[name] == {"Fn::GetAtt": [name.removesuffix("Name"), "QueueName"]}


def test_both_stacks_agree_on_when_there_is_a_topic() -> None:
    assert MONITORING["Conditions"]["HasAlarmEmail"] == TEMPLATE.source["Conditions"]["HasAlarmEmail"]
    assert MONITORING_PARAMETERS["AlarmEmail"] == {"Ref": "AlarmEmail"}


@pytest.mark.parametrize("output", ["DashboardName", "AlarmTopicArn"])
def test_an_output_of_the_nested_stack_is_an_output_of_the_stack(output: str) -> None:
    outer = TEMPLATE.source["Outputs"][output]

    assert outer["Value"] == {"Fn::GetAtt": ["Monitoring", f"Outputs.{output}"]}
    assert outer.get("Condition") == MONITORING["Outputs"][output].get("Condition")


def test_there_are_thirteen_alarms() -> None:
    assert len(ALARMS) == 13
    assert "Thirteen alarms" in MONITORING["Description"]
    assert "thirteen alarms" in TEMPLATE.source["Parameters"]["AlarmEmail"]["Description"]


def test_each_function_without_a_caller_is_in_one_alarm() -> None:
    handlers = {
        name
        for name, properties in resources_of_type("AWS::Lambda::Function").items()
        if properties["Handler"].startswith("handlers.")
    }
    of_the_api = {route.function for route in TEMPLATE.routes()}
    in_alarms = [parameter["Ref"] for parameter in parameters_of_metrics("AWS/Lambda")]

    assert sorted(in_alarms) == sorted(handlers - of_the_api)


def test_every_dead_letter_queue_is_in_the_alarm() -> None:
    alarm = {"DeadLettersAlarm": ALARMS["DeadLettersAlarm"]}
    counted = {parameter["Fn::GetAtt"][0] for parameter in parameters_of_metrics("AWS/SQS", alarm)}

    assert counted == {name for name in RESOURCES if name.endswith("DeadLetterQueue")}


def test_a_failed_tool_is_counted_by_the_message_that_it_logs() -> None:
    source = (ROOT / "src" / "upcall" / "tool" / "handler.py").read_text("utf-8")
    filters = resources_of_type("AWS::Logs::MetricFilter", MONITORING["Resources"])

    assert filters["ToolFailedFilter"]["FilterPattern"] == '{ $.message = "tool failed" }'
    assert 'logger.exception("tool failed", ' in source
    for properties in filters.values():
        (metric,) = properties["MetricTransformations"]
        assert metric["MetricNamespace"] == ALARMS["ToolErrorsAlarm"]["Namespace"]
        assert metric["MetricName"] == ALARMS["ToolErrorsAlarm"]["MetricName"]


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_notifies_when_it_starts_and_ends_and_is_off_without_data(name: str) -> None:
    actions = {"Fn::If": ["HasAlarmEmail", [{"Ref": "AlarmTopic"}], {"Ref": "AWS::NoValue"}]}

    assert ALARMS[name]["AlarmActions"] == actions
    assert ALARMS[name]["OKActions"] == actions
    assert ALARMS[name]["TreatMissingData"] == "notBreaching"
    assert len(ALARMS[name].get("Metrics", [])) <= MAX_METRICS


@pytest.mark.parametrize("name", ALARMS)
def test_operating_explains_what_to_do_about_an_alarm(name: str) -> None:
    assert f"`{name}`" in (ROOT / "docs" / "operating.md").read_text("utf-8")
