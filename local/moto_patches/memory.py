"""Patches of moto that free what nothing reads any more. Fits moto 5.2.5.

Without them, a local stack grows by 200 KB with each run. Each has a test in
`tests/integration/local/test_moto_patches_memory.py`, which fails if a new version of moto moves what is
patched.
"""

from collections import deque
from typing import Any

from moto.core.common_models import BaseModel
from moto.stepfunctions.parser.api import ExecutionStatus
from moto.stepfunctions.parser.backend.execution import Execution
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker
from moto.stepfunctions.parser.models import StepFunctionsParserBackend
from moto.stepfunctions.parser.utils import TMP_THREADS

KEPT_HISTORIES = 500
"""Executions that ended last, which keep their history and data."""


def keep_no_list_of_instances() -> None:
    """Let an item, a message or an execution be freed once its service no longer has it.

    moto lists all that it ever made, each version of an item too, for a page that the local stack does not
    serve.
    """

    def new(cls: type[BaseModel], *_: object, **__: object) -> BaseModel:
        return super(BaseModel, cls).__new__(cls)

    BaseModel.__new__ = staticmethod(new)  # type: ignore[method-assign]


def free_ended_executions(kept: int = KEPT_HISTORIES) -> None:
    """Let an execution keep its name, input, output and status only, once so many others ended after it.

    Its history is empty then: AWS keeps it for 90 days. To stop it changes nothing, as ever. The threads of
    tasks, which moto lists and never reads, are freed when an execution ends.
    """
    ended: deque[ExecutionWorker] = deque()

    def stop_if_it_runs(self: Execution, *args: Any, **options: Any) -> None:
        if self.exec_status == ExecutionStatus.RUNNING:
            _stop(self, *args, **options)

    def execute(self: ExecutionWorker) -> None:
        _execute(self)  # type: ignore[no-untyped-call]
        TMP_THREADS.clear()
        ended.append(self)
        if len(ended) > kept:
            ended.popleft().env = None

    ExecutionWorker._execution_logic = execute  # type: ignore[method-assign]
    Execution.stop = stop_if_it_runs  # type: ignore[method-assign]
    StepFunctionsParserBackend._get_executions = _executions_with_data  # type: ignore[method-assign]


_execute = ExecutionWorker._execution_logic
_stop = Execution.stop


def _executions_with_data(
    self: StepFunctionsParserBackend, execution_status: ExecutionStatus | None = None
) -> list[Execution]:
    """The executions that a task token or a Map may be of. One that is about to start has no data, either."""
    executions: list[Any] = [each for machine in self.state_machines for each in list(machine.executions)]
    return [
        each
        for each in executions
        if execution_status in (None, each.exec_status) and each.exec_worker and each.exec_worker.env
    ]
