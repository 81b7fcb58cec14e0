"""Tries a tool of a stack: invokes its function by hand, as the workflow would, without a run."""

import json
import threading
from http import HTTPStatus
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import ValidationError

import tools
from cli.console.responses import Refused
from cli.doctor.deployed_stack import ACCESS_DENIED_CODES, describe_error
from cli.tool_call.event import event_by_hand
from upcall.domain.approval import REQUIRED
from upcall.domain.assistants import all_assistants
from upcall.domain.errors import ApprovalRequired
from upcall.domain.tool_calls import ToolOutput

MAX_SECONDS: Final = 300
"""Longer than the time-out of any tool's function."""

INVOKE_ONCE: Final = Config(connect_timeout=5, read_timeout=MAX_SECONDS, retries={"total_max_attempts": 1})

NO_PERMISSION: Final = (
    "your AWS credentials lack the permission lambda:InvokeFunction for the tool's function"
)


class ToolTrial:
    """Tries the tools of the stack of that name, with AWS credentials. Serves several threads."""

    def __init__(self, session: boto3.Session, stack_name: str) -> None:
        self._session = session
        self._stack_name = stack_name
        self._lock = threading.Lock()  # clients are made one at a time

    def call(self, name: str, body: bytes) -> dict[str, Any]:
        """The output of a call with the `arguments` in a JSON body: outcome, output, duration_ms.

        Raises Refused: 409 for a tool whose call would have an effect or that a person must approve, and if
        the function cannot be invoked.
        """
        _check_tool(name)
        event = event_by_hand(json.dumps(_parse_arguments(body), ensure_ascii=False))
        try:
            with self._lock:
                client = self._session.client("lambda", config=INVOKE_ONCE)
            response = client.invoke(
                FunctionName=f"{self._stack_name}-tool-{name}", Payload=event.model_dump_json().encode()
            )
            payload = json.loads(response["Payload"].read())
        except ClientError as error:
            raise _refusal(error) from None
        except (BotoCoreError, ValueError) as error:
            raise Refused(HTTPStatus.BAD_GATEWAY, f"AWS cannot be called: {error}") from None
        if "FunctionError" in response:
            raise _function_error(name, payload)
        try:
            output = ToolOutput.model_validate(payload)
        except ValidationError:
            raise Refused(HTTPStatus.BAD_GATEWAY, f"{name} gave no readable output") from None
        return {"outcome": output.outcome, "output": output.output, "duration_ms": output.duration_ms}


def _check_tool(name: str) -> None:
    if name not in tools.names():
        raise Refused(HTTPStatus.NOT_FOUND, f"there is no tool {name!r}")
    tool = tools.find(name)
    if tool.effect == "once":
        detail = f"{name} is not tried: a call has an effect, which is meant to happen in a run, and once"
        raise Refused(HTTPStatus.CONFLICT, detail)
    if tool.approval == REQUIRED or any(name in each.approval for each in all_assistants().values()):
        raise _needs_approval(name)


def _parse_arguments(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    arguments = document.get("arguments") if isinstance(document, dict) else None
    if not isinstance(arguments, dict):
        raise Refused(HTTPStatus.BAD_REQUEST, 'the body must be {"arguments": {…}}')
    return arguments


def _needs_approval(name: str) -> Refused:
    detail = f"{name} is not tried: a person must approve its calls, which is meant to happen in a run"
    return Refused(HTTPStatus.CONFLICT, detail)


def _function_error(name: str, payload: Any) -> Refused:
    error = str(payload.get("errorType", "")) if isinstance(payload, dict) else ""
    if error == ApprovalRequired.__name__:
        return _needs_approval(name)
    return Refused(HTTPStatus.BAD_GATEWAY, f"the function of {name} failed: {error or 'without a reason'}")


def _refusal(error: ClientError) -> Refused:
    code = error.response["Error"]["Code"]
    if code in ACCESS_DENIED_CODES:
        return Refused(HTTPStatus.FORBIDDEN, NO_PERMISSION)
    status = HTTPStatus.NOT_FOUND if code == "ResourceNotFoundException" else HTTPStatus.BAD_GATEWAY
    return Refused(status, describe_error("lambda", error))
