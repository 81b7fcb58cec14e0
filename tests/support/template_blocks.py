"""What to paste into `template.yaml` and `events/` for a new tool or a new route."""

import ast
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import tools
from local.config import ROOT
from support.templates import function_id, pascal_case

SAMPLE_RUN_ID = "run_0123456789ab0123456789abcdef"
SAMPLE_PARAMETERS = {
    "run_id": SAMPLE_RUN_ID,
    "call": "1-1",
    "batch_id": "batch_0123456789ab0123456789abcdef",
}
METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class RouteOfHandler:
    """A route that a handler's `app` serves. `path` is as API Gateway writes it: /runs/{run_id}."""

    handler: str
    method: str
    path: str

    @property
    def open_to_all(self) -> bool:
        """Whether the route needs no authorization."""
        return self.path in ("/health", "/webhooks/openai")


def routes_of(handler: str) -> Iterator[RouteOfHandler]:
    """The routes of a handler, read from its decorators: `@app.get("/runs/<run_id>")`."""
    tree = ast.parse((ROOT / "src" / "handlers" / f"{handler}.py").read_text("utf-8"))
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="app"), attr=method),
                args=[ast.Constant(value=str(path)), *_],
            ) if method in METHODS:
                yield RouteOfHandler(handler, method.upper(), path.replace("<", "{").replace(">", "}"))


def tool_block(name: str) -> str:
    """The function of a tool, for `template.yaml`. A tool with an effect needs the table."""
    block = f"""
  {function_id(name)}:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: !Sub "${{AWS::StackName}}-tool-{name}"
      Handler: tools.{name}.lambda_handler
      Tracing: Disabled
"""
    if tools.find(name).effect == "pure":
        return block
    return f"""{block.rstrip()}
      Policies:
        - Statement:
            - Effect: Allow
              Action: [dynamodb:GetItem, dynamodb:PutItem, dynamodb:UpdateItem]
              Resource: !GetAtt RunTable.Arn
              Condition: {{ "ForAllValues:StringLike": {{ dynamodb:LeadingKeys: ["ONCE#*"] }} }}
"""


def route_function_block(route: RouteOfHandler) -> str:
    """The function of a route, for `template.yaml`, with the right to read a run."""
    return f"""
  {function_id(route.handler)}:
    Type: AWS::Serverless::Function
    Properties:
      Handler: handlers.{route.handler}.lambda_handler
      Environment: {{ Variables: {{ TENANCY: !Ref Tenancy }} }}
      Policies:
        - Statement:
            - {{ Effect: Allow, Action: dynamodb:GetItem, Resource: !GetAtt RunTable.Arn }}
      Events:
{route_event_block(route)}"""


def route_event_block(route: RouteOfHandler) -> str:
    """The event of a route, for the `Events` of its function."""
    return f"""\
        {pascal_case(route.handler)}:
          Type: HttpApi
          Properties: {{ ApiId: !Ref HttpApi, Method: {route.method}, Path: "{route.path}" }}
"""


def route_path_line(route: RouteOfHandler) -> str:
    """The authorization of a route, for the `paths` of HttpApi."""
    scopes = '!If [HasScopes, !Split [",", !Ref AuthorizationScopes], []]'
    return f"          {route.path}: {{ {route.method.lower()}: {{ security: [Caller: {scopes}] }} }}\n"


def route_sample(route: RouteOfHandler) -> str:
    """A sample event of a route, for `events/`."""
    names = [part[1:-1] for part in route.path.split("/") if part.startswith("{")]
    parameters = {name: SAMPLE_PARAMETERS[name] for name in names}
    path = route.path
    for name, value in parameters.items():
        path = path.replace(f"{{{name}}}", value)
    domain = "example.execute-api.eu-central-1.amazonaws.com"
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": f"{route.method} {route.path}",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"content-type": "application/json", "host": domain},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "example",
            "domainName": domain,
            "http": {
                "method": route.method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "203.0.113.7",
                "userAgent": "curl/8.0",
            },
            "requestId": "sample",
            "routeKey": f"{route.method} {route.path}",
            "stage": "$default",
            "time": "20/Nov/2026:12:00:00 +0000",
            "timeEpoch": 1795176000000,
        },
        "isBase64Encoded": False,
    }
    if parameters:
        event["pathParameters"] = parameters
    return f"{json.dumps(event, indent=2)}\n"
