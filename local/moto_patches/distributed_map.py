"""Patches of moto's Distributed Map, so that batches run as on AWS. Fits moto 5.2.5.

What the Map of the workflow of batches does not use is not patched: tolerated failures, batches of items, and
redriving. Each patch has a test in `tests/integration/local/test_moto_patches_distributed_map.py`.
"""

from typing import Any

from moto.stepfunctions.parser.api import HistoryEventType, MapRunFailedEventDetails
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import CustomErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.error_name import ErrorName  # noqa: TC002
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import (
    StatesErrorNameType,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration import (
    distributed_iteration_component,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.itemprocessor import (
    distributed_item_processor_worker,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.job import Job
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventManager
from moto.stepfunctions.parser.asl.eval.program_state import ProgramError, ProgramStopped

_Worker = distributed_item_processor_worker.DistributedItemProcessorWorker

_EXCEEDED_CAUSE = "The specified tolerated failure threshold was exceeded"
_EXCEEDED = StatesErrorName(StatesErrorNameType.StatesExceedToleratedFailureThreshold)


def without_result_writers(definition: dict[str, Any]) -> dict[str, Any]:
    """A definition without the ResultWriter of its Map states: moto's parser does not know its Arguments."""
    states = {
        name: {key: value for key, value in state.items() if key != "ResultWriter"}
        for name, state in definition["States"].items()
    }
    return {**definition, "States": states}


def run_items_in_a_loop() -> None:
    """Let a worker take one item after the other, each in a frame of its own that is deleted after it.

    moto's workers call themselves for each item, which ends at Python's limit of recursion.
    """

    def run(self: Any) -> None:
        while (job := self._job_pool.next_job()) is not None:
            frame = self._env.open_inner_frame()
            self._eval_job(frame, job)
            self._env.delete_frame(frame)
            self._job_pool.close_job(job)

    _Worker.eval = run  # type: ignore[method-assign]


def fail_with_the_first_item() -> None:
    """Let the Map fail once an item has failed, as on AWS if no failures are tolerated. moto goes on.

    The items that run then are no longer waited for. So it is if the execution is stopped.
    """
    eval_job = _Worker._eval_job

    def eval_and_fail(self: Any, env: Environment, job: Job) -> None:
        eval_job(self, env, job)
        state = env.program_state()
        if not isinstance(state, ProgramError | ProgramStopped):
            return
        error_name: ErrorName = _EXCEEDED
        details = MapRunFailedEventDetails(error=_EXCEEDED.error_name, cause=_EXCEEDED_CAUSE)
        if isinstance(state, ProgramStopped):
            error_name = CustomErrorName(error_name=HistoryEventType.MapIterationAborted)
            details = MapRunFailedEventDetails(error=HistoryEventType.MapIterationAborted)
        failure = FailureEvent(
            env=env,
            error_name=error_name,
            event_type=HistoryEventType.MapRunFailed,
            event_details=EventDetails(mapRunFailedEventDetails=details),  # type: ignore[typeddict-item]
        )
        job.job_output = FailureEventException(failure)

    _Worker._eval_job = eval_and_fail  # type: ignore[method-assign]


def keep_no_history_of_items() -> None:
    """Let the histories of a Map's items not be kept. Nothing reads them, and a batch has thousands."""
    distributed_iteration_component.EventManager = _NoHistory  # type: ignore[attr-defined]


class _NoHistory(EventManager):
    def _publish_history_event(self, *_: object, **__: object) -> None:
        """Keep nothing."""
