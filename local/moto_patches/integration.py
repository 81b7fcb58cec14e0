"""Patches that connect moto with the local stack. Fits moto 5.2.5.

Each has a test in `tests/integration/local/test_moto_patches_integration.py`, which fails if a new version of
moto moves what is patched.
"""

import json
from collections.abc import Container
from datetime import datetime
from typing import Any, Protocol

import moto.stepfunctions.parser.asl.jsonata.jsonata as moto_jsonata
from botocore.exceptions import ClientError
from botocore.model import ServiceModel as BotocoreServiceModel
from botocore.utils import instance_cache
from jsonata import Jsonata
from moto.awslambda.exceptions import LambdaClientError, UnknownFunctionException
from moto.awslambda.models import EventSourceMapping
from moto.awslambda.utils import get_backend
from moto.awslambda_simple.models import LambdaSimpleBackend
from moto.core.config import default_user_config
from moto.core.model import OperationModel, ServiceModel
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.core.responses import ActionResult
from moto.events.models import events_backends
from moto.stepfunctions.parser.api import ExecutionFailedEventDetails
from moto.stepfunctions.parser.asl.component.common.catch.catch_outcome import CatchOutcome
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_lambda import (
    StateTaskServiceLambda,
)
from moto.stepfunctions.parser.asl.component.state.state import CommonStateField
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.program_state import ProgramStopped
from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker
from moto.stepfunctions.responses import StepFunctionResponse

from local.config import AWS_ENVIRONMENT
from local.lambda_runtime import Invocation, Throttled


class FunctionInvoker(Protocol):
    """Invokes functions: a FunctionRunner, or a wrapper of one in a test.

    `invoke` may raise an error of moto's, which becomes an error of Lambda's API.
    """

    @property
    def functions(self) -> Container[str]:
        """The names of the functions."""

    def invoke(self, name: str, event: str) -> Invocation:
        """Invoke a function by its name with a JSON event."""


def execute_workflows() -> None:
    """Let moto execute state machines, evaluate their JSONata, and start no containers."""
    default_user_config["stepfunctions"]["execute_state_machine"] = True
    default_user_config["lambda"]["use_docker"] = False
    moto_jsonata._eval_jsonata = _evaluate_jsonata


def make_operation_models_in_one_step() -> None:
    """Let the first requests to a service come at once.

    moto's model of an operation is made from botocore's, which botocore caches under the same key. A request
    of another thread that came between the two found a model without a route, and was answered with 500.
    """
    make_botocore_model = vars(BotocoreServiceModel.operation_model)["__wrapped__"]

    def operation_model(self: ServiceModel, operation_name: str) -> OperationModel:
        model = make_botocore_model(self, operation_name)
        return OperationModel(model._operation_model, self, operation_name)

    ServiceModel.operation_model = instance_cache(operation_model)  # type: ignore[method-assign]


def report_failures_of_the_lambda_api() -> None:
    """Let a request to Lambda's API that moto fails to handle be the error AWS names. Workflows retry it.

    moto answers it with a page, without a code and a request id. Looking for these, its task failed the
    execution with States.Runtime, which no workflow can retry.
    """

    def error_and_cause(error: ClientError) -> tuple[str, str]:
        error.response["ResponseMetadata"].setdefault("RequestId", "")
        if error.response["Error"]["Code"] == "500":  # what botocore takes for the code of a page
            error.response["Error"]["Code"] = "ServiceException"
        return _error_and_cause(error)

    StateTaskServiceLambda._error_cause_from_client_error = staticmethod(error_and_cause)  # type: ignore[method-assign, assignment]


def add_event_source_mapping(function: str, queue_arn: str, batch: int) -> EventSourceMapping:
    """Let Lambda's API show and change an event source mapping, and return it.

    Not through the API: moto would invoke the function itself whenever a message is sent, beside the local
    stack's own poller.
    """
    backend = get_backend(DEFAULT_ACCOUNT_ID, AWS_ENVIRONMENT["AWS_REGION"])
    mapping = EventSourceMapping(  # type: ignore[abstract]  # moto makes it in the same way
        {
            "RegionName": backend.region_name,
            "AccountId": DEFAULT_ACCOUNT_ID,
            "FunctionName": function,
            "FunctionArn": backend.get_function(function).function_arn,
            "EventSourceArn": queue_arn,
            "BatchSize": batch,
        }
    )
    backend._event_source_mappings[mapping.uuid] = mapping
    return mapping


def publish_execution_events() -> None:
    """Let moto's Step Functions put an event on the default bus when an execution ends.

    One that was stopped has the error and the cause of that request, which moto does not read.
    """

    def stop_execution(self: StepFunctionResponse) -> ActionResult:
        arn = self._get_param("executionArn")
        execution: Any = self.stepfunction_backend.describe_execution(arn)
        if execution.exec_status == "RUNNING":
            execution.error, execution.cause = self._get_param("error"), self._get_param("cause")
        return _stop_execution(self)

    def terminated(self: BaseExecutionWorkerCommunication) -> None:
        self._reflect_execution_status()  # type: ignore[no-untyped-call]
        execution = self.execution
        cause = execution.cause  # moto may keep the response of a service; AWS has its text
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
    StepFunctionResponse.stop_execution = stop_execution  # type: ignore[method-assign]


def enter_a_state_again_after_its_error() -> None:
    """Let a Catch lead back to its own state.

    moto tells whether a Catch has set the next state by its name, so it went on as if nothing was caught.
    """

    def set_next(self: CommonStateField, env: Environment) -> None:
        if not (env.stack and env.stack[-1] is CatchOutcome.Caught):
            _set_next(self, env)

    CommonStateField._set_next = set_next  # type: ignore[method-assign]


def stop_tasks_that_wait_for_their_token() -> None:
    """Let StopExecution end an execution whose task waits for its token, as on AWS.

    moto sets the state of the program and of its frames, but whoever waits for a token does not look at that.
    And an error that the task ends with then must not replace the state: the execution was stopped.
    """

    def stop(self: ExecutionWorker, stop_date: datetime, error: str | None, cause: str | None) -> None:
        _stop(self, stop_date, error, cause)
        for endpoint in list(self.env.callback_pool_manager._pool.values()) if self.env else []:
            endpoint.interrupt_all()

    def set_error_unless_stopped(self: Environment, error: ExecutionFailedEventDetails) -> None:
        if not isinstance(self.program_state(), ProgramStopped):
            _set_error(self, error)

    ExecutionWorker.stop = stop  # type: ignore[method-assign]
    Environment.set_error = set_error_unless_stopped  # type: ignore[method-assign]


def invoke_functions_with(invoker: FunctionInvoker) -> None:
    """Let moto's Lambda invoke functions with this invoker."""

    def invoke(
        _: LambdaSimpleBackend,
        function_name: str,
        _qualifier: str | None,
        body: Any,
        _headers: Any,
        response_headers: dict[str, str],
    ) -> bytes:
        name = function_name.rpartition(":")[2]  # the name, or the last part of an ARN
        if name not in invoker.functions:
            raise UnknownFunctionException(function_name)
        event = body.decode() if isinstance(body, bytes) else body
        try:
            result = invoker.invoke(name, event or "{}")
        except Throttled:
            error = LambdaClientError("TooManyRequestsException", "Rate Exceeded.")
            error.code = 429
            raise error from None
        if result.is_error:
            response_headers["x-amz-function-error"] = "Unhandled"
        return result.payload.encode()

    LambdaSimpleBackend.invoke = invoke  # type: ignore[method-assign, assignment]


_set_next = CommonStateField._set_next
_stop = ExecutionWorker.stop
_set_error = Environment.set_error
_stop_execution = StepFunctionResponse.stop_execution
_error_and_cause = StateTaskServiceLambda._error_cause_from_client_error


def _evaluate_jsonata(expression: str) -> Any:
    """The value of a JSONata expression.

    It is serialised once, because jsonata-python returns lists of its own type, and characters beyond the
    basic plane as two surrogates.
    """
    try:
        return json.loads(json.dumps(Jsonata(expression).evaluate(None)))
    except Exception as error:
        raise moto_jsonata.JSONataException("Error", str(error)) from error
