"""Traces, logs and encryption in transit, and the groups of parameters."""

import json

from support.templates import CONSOLE, MONITORING, RESOURCES, TEMPLATE, resources_of_type

import tools


def test_all_functions_except_tools_are_traced() -> None:
    not_traced = {
        properties["Handler"]
        for properties in resources_of_type("AWS::Lambda::Function").values()
        if "TracingConfig" not in properties
    }

    assert not_traced == {f"tools.{name}.lambda_handler" for name in tools.names()}
    assert RESOURCES["RunStateMachine"]["Properties"]["TracingConfiguration"] == {"Enabled": True}


def test_the_workflow_logs_no_prompts_and_no_outputs() -> None:
    logging = RESOURCES["RunStateMachine"]["Properties"]["LoggingConfiguration"]

    assert logging["IncludeExecutionData"] is False
    assert TEMPLATE.parameter_default("WorkflowLogLevel") == "ERROR"


def test_the_access_log_is_json_without_path_query_and_body() -> None:
    format_ = RESOURCES["HttpApiApiGatewayDefaultStage"]["Properties"]["AccessLogSettings"]["Format"]

    assert "\n" not in format_
    fields = json.loads(format_)
    assert fields["route"] == "$context.routeKey"
    assert not any(variable in format_ for variable in ("$context.path", "querystring", "body"))


def test_logs_are_kept_as_long_as_runs() -> None:
    groups = resources_of_type("AWS::Logs::LogGroup")

    assert len(groups) >= 3
    assert all(group["RetentionInDays"] == {"Ref": "RetentionDays"} for group in groups.values())


def test_unencrypted_transport_is_denied() -> None:
    resources = {**RESOURCES, **MONITORING["Resources"], **CONSOLE["Resources"]}
    for resource_type in ("AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy"):
        policies = resources_of_type(resource_type, resources).values()
        assert policies
        for policy in policies:
            denied = [
                statement["Condition"]["Bool"]
                for statement in policy["PolicyDocument"]["Statement"]
                if statement["Effect"] == "Deny" and statement["Principal"] == "*"
            ]
            assert denied == [{"aws:SecureTransport": False}]


def test_every_parameter_is_in_one_group() -> None:
    groups = TEMPLATE.source["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    grouped = [name for group in groups for name in group["Parameters"]]

    assert sorted(grouped) == sorted(TEMPLATE.source["Parameters"])
