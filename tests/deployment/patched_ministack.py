"""Runs MiniStack, an emulator of AWS from PyPI, with what it lacks for this stack.

It runs in an environment of its own (`make test-deploy` makes it), so it imports nothing of this project. Each
function below changes one thing of the emulator, and says why. The stack is deployed as it is.
"""

import json
import os
import re
import threading
import time
from typing import Any

import yaml
from ministack import app
from ministack.core import iam_actions, lambda_runtime
from ministack.services import apigateway, dynamodb, lambda_svc, stepfunctions
from ministack.services.cloudformation import handlers, provisioners

Properties = dict[str, Any]
NETWORK = """
import socket

ADDRESSES = {f"11.0.0.{number}": int(port) for number, port in enumerate(HOSTS.values(), start=1)}
NAMES = dict(zip(HOSTS, ADDRESSES))
_getaddrinfo, _connect = socket.getaddrinfo, socket.socket.connect


def getaddrinfo(host, *rest, **options):
    return _getaddrinfo(NAMES.get(host, host), *rest, **options)


def connect(connection, to):
    if isinstance(to, tuple) and to[0] in ADDRESSES:
        to = ("127.0.0.1", ADDRESSES[to[0]])
    return _connect(connection, to)


socket.getaddrinfo, socket.socket.connect = getaddrinfo, connect
"""

MAX_INVOCATION_SECONDS = 150
METHODS = {"get", "put", "post", "delete", "patch", "options", "head", "x-amazon-apigateway-any-method"}


def accept_alarms_on_expressions() -> None:
    """MiniStack rejects alarms on metric math. It keeps them with their first metric, and never evaluates them."""
    record = provisioners._cw_metric_alarm_record

    def record_first_metric(name: str, props: Properties) -> Any:
        statistics = [each["MetricStat"] for each in props.get("Metrics") or [] if "MetricStat" in each]
        if statistics:
            first = statistics[0]
            props = {**props, **first["Metric"], "Period": first["Period"], "Statistic": first["Stat"]}
            del props["Metrics"]
        return record(name, props)

    provisioners._cw_metric_alarm_record = record_first_metric


def read_workflow_definitions_as_yaml() -> None:
    """CloudFormation reads a workflow's definition as YAML or JSON, MiniStack only as JSON."""
    definition = provisioners._sfn_definition
    provisioners._sfn_definition = lambda props: json.dumps(yaml.safe_load(definition(props)))


def import_openapi_bodies() -> None:
    """SAM describes the routes of an HTTP API in its property Body (OpenAPI), which MiniStack does not read."""
    handlers = provisioners._RESOURCE_HANDLERS["AWS::ApiGatewayV2::Api"]
    create, update = handlers["create"], handlers["update"]

    def create_with_routes(logical_id: str, props: Properties, stack_name: str) -> Any:
        created = create(logical_id, props, stack_name)
        import_routes(created[0], props["Body"], stack_name)
        return created

    def update_with_routes(
        physical_id: str, old: Properties, new: Properties, stack_name: str, *rest: Any
    ) -> Any:
        updated = update(physical_id, old, new, stack_name, *rest)
        import_routes(updated[0], new["Body"], stack_name)
        return updated

    handlers.update(create=create_with_routes, update=update_with_routes)


def import_routes(api_id: str, body: Properties, stack_name: str) -> None:
    """Make the authorizers, routes and integrations of an OpenAPI document those of an API."""
    for resources in (apigateway._routes, apigateway._integrations, apigateway._authorizers):
        resources[api_id] = {}
    schemes = {name: authorization(api_id, name, scheme) for name, scheme in security_schemes(body).items()}
    for path, operations in body["paths"].items():
        for method, operation in operations.items():
            if method not in METHODS:
                continue
            integration = operation["x-amazon-apigateway-integration"]
            integration_id, _ = provisioners._apigw_v2_integration_create(
                "", {"ApiId": api_id, "IntegrationUri": integration["uri"]}, stack_name
            )
            security = {
                name: scopes for each in operation.get("security") or [] for name, scopes in each.items()
            }
            name, scopes = next(iter(security.items()), ("NONE", []))
            route = {
                "ApiId": api_id,
                "RouteKey": f"{method.upper()} {path}",
                "Target": f"integrations/{integration_id}",
                "AuthorizationScopes": scopes,
                **schemes.get(name, {"AuthorizationType": "NONE"}),
            }
            provisioners._apigw_v2_route_create("", route, stack_name)


def security_schemes(body: Properties) -> dict[str, Properties]:
    schemes: dict[str, Properties] = body.get("components", {}).get("securitySchemes", {})
    return schemes


def authorization(api_id: str, name: str, scheme: Properties) -> Properties:
    """What a route that names a security scheme has for its authorization."""
    if scheme.get("x-amazon-apigateway-authtype") == "awsSigv4":
        return {"AuthorizationType": "AWS_IAM"}
    jwt = scheme["x-amazon-apigateway-authorizer"]["jwtConfiguration"]
    authorizer = {
        "ApiId": api_id,
        "Name": name,
        "AuthorizerType": "JWT",
        "JwtConfiguration": {"Issuer": jwt["issuer"], "Audience": jwt["audience"]},
    }
    authorizer_id, _ = provisioners._apigw_v2_authorizer_create(name, authorizer, "")
    return {"AuthorizationType": "JWT", "AuthorizerId": authorizer_id}


def read_concurrency_as_number() -> None:
    """CloudFormation makes a number of a string where a resource takes numbers; MiniStack compares the two."""
    handlers = provisioners._RESOURCE_HANDLERS["AWS::Lambda::EventSourceMapping"]
    create = handlers["create"]

    def create_with_number(logical_id: str, props: Properties, stack_name: str) -> Any:
        scaling = props.get("ScalingConfig")
        if scaling:
            props = {**props, "ScalingConfig": {"MaximumConcurrency": int(scaling["MaximumConcurrency"])}}
        return create(logical_id, props, stack_name)

    handlers["create"] = create_with_number


def set_expiry_and_recovery_of_tables() -> None:
    """MiniStack ignores time to live and point-in-time recovery in a template, and has both as API calls."""
    handlers = provisioners._RESOURCE_HANDLERS["AWS::DynamoDB::Table"]
    create = handlers["create"]

    def create_with_settings(logical_id: str, props: Properties, stack_name: str) -> Any:
        created = create(logical_id, props, stack_name)
        name = created[0]
        dynamodb._update_ttl({"TableName": name, "TimeToLiveSpecification": props["TimeToLiveSpecification"]})
        dynamodb._update_continuous_backups(
            {
                "TableName": name,
                "PointInTimeRecoverySpecification": props["PointInTimeRecoverySpecification"],
            }
        )
        return created

    handlers["create"] = create_with_settings


def finish_invocations_before_updates() -> None:
    """On AWS, an invocation in flight ends on the code that it began with; MiniStack kills it with an update."""
    kill = lambda_runtime.kill_workers

    def kill_when_idle(workers: list[Any]) -> None:
        for worker in workers:
            threading.Thread(target=wait_and_kill, args=(worker,), daemon=True).start()

    def wait_and_kill(worker: Any) -> None:
        deadline = time.monotonic() + MAX_INVOCATION_SECONDS
        while worker.in_use and time.monotonic() < deadline:
            time.sleep(0.1)
        kill([worker])

    lambda_runtime.kill_workers = kill_when_idle


def give_addresses_of_layers_with_tls() -> None:
    """With TLS, MiniStack still gives http addresses for the content of layers."""
    address = lambda_svc._layer_content_url
    lambda_svc._layer_content_url = lambda *layer: address(*layer).replace("http://", "https://", 1)


def read_keys_of_user_pools_with_tls() -> None:
    """API Gateway checks tokens with the keys of a user pool, which MiniStack reads from itself without TLS."""
    resolve = apigateway._resolve_jwks_url

    async def resolve_on_loopback(authorizer: Properties) -> Any:
        address = await resolve(authorizer)
        return address and re.sub(r"^http://[^/:]+:", "https://127.0.0.1:", address)

    apigateway._resolve_jwks_url = resolve_on_loopback


def give_addresses_of_nested_templates_on_aws() -> None:
    """`sam delete` finds the bucket of a nested template in its address, which begins with https://s3 on AWS."""
    get_template = handlers._get_template

    def get_template_with_addresses(params: Properties) -> Any:
        status, headers, body = get_template(params)
        gateway = f"https://127.0.0.1:{os.environ['GATEWAY_PORT']}/".encode()
        return status, headers, body.replace(gateway, b"https://s3.eu-central-1.amazonaws.com/")

    handlers._ACTION_HANDLERS["GetTemplate"] = get_template_with_addresses


def check_task_tokens_against_their_workflow() -> None:
    """A policy for SendTaskSuccess names the workflow of the token. MiniStack knows no resource of such a request."""
    execute_task, invoke, find_resource = (
        stepfunctions._execute_task,
        stepfunctions._invoke_with_callback,
        iam_actions.extract_resource_arn,
    )
    current = threading.local()
    workflows: dict[str, str] = {}

    def execute_task_of(state: Properties, data: Any, execution: Any, context: Properties) -> Any:
        current.workflow = context["StateMachine"]["Id"]
        return execute_task(state, data, execution, context)

    def invoke_with_workflow(resource: str, data: Any, token: str, state: Properties) -> Any:
        workflows[token] = current.workflow
        return invoke(resource, data, token, state)

    def find_workflow(service: str, *request: Any) -> str:
        found: str = find_resource(service, *request)
        if service == "states" and found == "*":
            token = json.loads(request[3] or b"{}").get("taskToken")
            return workflows.get(token, found)
        return found

    stepfunctions._execute_task = execute_task_of
    stepfunctions._invoke_with_callback = invoke_with_workflow
    iam_actions.extract_resource_arn = find_workflow


def listen_on_one_port() -> None:
    """With TLS, MiniStack also takes port 443, if it can have it."""
    app._port_is_bindable = lambda *_: False


def run_functions_with(interpreter: str, hosts: str) -> None:
    """MiniStack runs functions with its own interpreter and packages, and functions refuse to read loopback.

    For functions, each host in `hosts` (`name=port,…`) is a public host, which leads to a port of loopback.
    """
    network = f"HOSTS = dict(each.split('=') for each in {hosts!r}.split(',') if each)" + NETWORK
    script = network + lambda_runtime._PYTHON_WORKER_SCRIPT
    lambda_runtime._detect_runtime_binary = lambda runtime: (interpreter, script)


accept_alarms_on_expressions()
read_workflow_definitions_as_yaml()
import_openapi_bodies()
read_concurrency_as_number()
set_expiry_and_recovery_of_tables()
finish_invocations_before_updates()
give_addresses_of_layers_with_tls()
read_keys_of_user_pools_with_tls()
give_addresses_of_nested_templates_on_aws()
check_task_tokens_against_their_workflow()
listen_on_one_port()
run_functions_with(os.environ["FUNCTION_PYTHON"], os.environ["FUNCTION_HOSTS"])
app.main()
