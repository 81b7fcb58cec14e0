"""The five places where the laptop cloud reaches into moto. Known to fit moto 5.2.5.

Each has a test in `tests/local/test_moto_seams.py` that says what broke when a new moto moves it.
"""

import json
import threading
from collections.abc import Container
from typing import Any, Protocol

import moto.stepfunctions.parser.asl.jsonata.jsonata as moto_jsonata
from jsonata import Jsonata
from moto.awslambda.exceptions import UnknownFunctionException
from moto.awslambda_simple.models import LambdaSimpleBackend
from moto.core.config import default_user_config
from moto.dynamodb.responses import DynamoHandler
from moto.events.models import events_backends

from local.lambda_runtime import Invocation


class Lambda(Protocol):
    """What invokes functions: a FunctionRunner, or what stands before one in a test.

    `invoke` may raise an error of moto's, which becomes an error of Lambda's API.
    """

    @property
    def functions(self) -> Container[str]:
        """The names of the functions that there are."""

    def invoke(self, name: str, event: str) -> Invocation:
        """Invoke a function by its name with a JSON event."""


def execute_workflows() -> None:
    """Make moto run state machines for real, evaluate JSONata, and start no containers."""
    default_user_config["stepfunctions"]["execute_state_machine"] = True
    default_user_config["lambda"]["use_docker"] = False
    moto_jsonata._eval_jsonata = _evaluate


def tell_of_ended_executions() -> None:
    """Make moto's Step Functions put an event on the default bus when an execution has ended.

    Imported here, where the user's AWS profile is out of sight: moto makes clients as it is loaded.
    """
    from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication

    def terminated(self: BaseExecutionWorkerCommunication) -> None:
        self._reflect_execution_status()  # type: ignore[no-untyped-call]
        execution = self.execution
        cause = execution.cause  # which moto may keep as the answer of a service, and AWS tells as its text
        detail = {
            "executionArn": execution.exec_arn,
            "stateMachineArn": execution.state_machine.arn,
            "name": execution.name,
            "status": execution.exec_status,
            "error": execution.error,
            "cause": cause if cause is None or isinstance(cause, str) else json.dumps(cause),
        }
        entry = {
            "Source": "aws.states",
            "DetailType": "Step Functions Execution Status Change",
            "Detail": json.dumps(detail),
        }
        events_backends[execution.account_id][execution.region_name].put_events([entry])

    BaseExecutionWorkerCommunication.terminated = terminated  # type: ignore[method-assign]


def invoke_with(runner: Lambda) -> None:
    """Make moto's Lambda invoke the project's handlers."""

    def invoke(
        _: LambdaSimpleBackend,
        function_name: str,
        _qualifier: str | None,
        body: Any,
        _headers: Any,
        response_headers: dict[str, str],
    ) -> bytes:
        name = function_name.rpartition(":")[2]  # a name, or the end of an ARN
        if name not in runner.functions:
            raise UnknownFunctionException(function_name)
        event = body.decode() if isinstance(body, bytes) else body
        result = runner.invoke(name, event or "{}")
        if result.is_error:
            response_headers["x-amz-function-error"] = "Unhandled"
        return result.payload.encode()

    LambdaSimpleBackend.invoke = invoke  # type: ignore[method-assign, assignment]


def read_and_write_one_after_the_other() -> None:
    """Make moto's DynamoDB answer one request at a time.

    Else another may write between a condition and the write that hangs on it, and a run that was cancelled
    may be queued again.
    """

    def call_action(self: DynamoHandler) -> Any:
        with _one_request:
            return _call_action(self)

    DynamoHandler.call_action = call_action  # type: ignore[method-assign]


_call_action = DynamoHandler.call_action
_one_request = threading.Lock()


def _evaluate(expression: str) -> Any:
    """The value of a JSONata expression.

    Through JSON and back, because jsonata-python gives lists of its own and leaves characters beyond
    the basic plane as two halves.
    """
    try:
        return json.loads(json.dumps(Jsonata(expression).evaluate(None)))
    except Exception as error:
        raise moto_jsonata.JSONataException("Error", str(error)) from error
