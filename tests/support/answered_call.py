"""A call that waits, and those who answer it: the use cases with any repository, and a task that a test plays."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from support.fakes.clock import FakeClock
from support.fakes.senders import InMemoryEventPublisher
from support.open_calls import LOOKUP_TOOL, REFUND
from support.run_records import UPSTREAM_RUN, new_run
from upcall.domain.answers import DecisionRequest, GivenOutput, ToolOutputsRequest
from upcall.domain.caller import Caller
from upcall.domain.errors import CallConflict
from upcall.domain.limits import Limits
from upcall.domain.open_calls import CallAnswered
from upcall.domain.tool_calls import ToolCall
from upcall.use_cases.interfaces import RunRepository
from upcall.use_cases.receive_decision import receive_decision
from upcall.use_cases.receive_tool_outputs import receive_tool_outputs
from upcall.use_cases.wait_for_answer import wait_for_answer

ANSWER_SECONDS = 3600

LOOKUP = ToolCall(call_id="call_1", name="lookup", arguments='{"order": 4711}')


def clock_after(seconds: float) -> FakeClock:
    """A clock that tells the time so many seconds after the call began to wait."""
    clock = FakeClock()
    clock.advance(seconds)
    return clock


@dataclass
class WaitingTask:
    """A task of a workflow that waits for its token. `received` are the outputs it was completed with."""

    token: str
    received: list[Mapping[str, Any]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def complete_task(self, task_token: str, output: Mapping[str, Any]) -> bool:
        """See WaitingTasks. Step Functions completes a task once, and none whose time is over."""
        with self._lock:
            waits = task_token == self.token and not self.received
            if waits:
                self.received.append(output)
            return waits


@dataclass
class AnsweredCall:
    """A call that waits, and those who answer it."""

    repository: RunRepository
    call: ToolCall = REFUND
    task: WaitingTask = field(default_factory=lambda: WaitingTask("token 1"))

    def __post_init__(self) -> None:
        """Let the call wait."""
        limits = Limits(answer_seconds=ANSWER_SECONDS)
        tools = (LOOKUP_TOOL,)
        run = new_run(started_by="ann", limits=limits, tools=tools)
        self.repository.record_creation(self.repository.add_run(run), UPSTREAM_RUN, "polled")
        self.run = self.repository.get_run(run.run_id)
        assert self.look("token 1") is None

    def look(self, token: str, seconds: float = 0) -> CallAnswered | None:
        """Let the call wait with this token, so many seconds after the first time. Returns the answer, if any."""
        answered = wait_for_answer(
            self.run.run_id,
            token,
            round=1,
            position=1,
            call=self.call,
            max_output_bytes=1000,
            function_tools=(REFUND.name,),
            retention=timedelta(days=30),
            repository=self.repository,
            publisher=InMemoryEventPublisher(),
            clock=clock_after(seconds),
        )
        if answered:  # as the handler does
            self.task.complete_task(token, answered.model_dump(mode="json"))
        return answered

    def decide(self, decision: str, person: str) -> int:
        """Decide one second before the time is over. Returns the status of the response."""
        request = DecisionRequest.model_validate(
            {"decision": decision, "arguments_digest": self.call.arguments_digest}
        )
        try:
            receive_decision(
                self.run.run_id,
                "1-1",
                request,
                Caller(name=self.run.owner, person=person, one_tenant=True, may_decide=True),
                four_eyes=False,
                repository=self.repository,
                waiting_tasks=self.task,
                clock=clock_after(ANSWER_SECONDS - 1),
            )
        except CallConflict:
            return 409
        return 200

    def give_output(self, text: str) -> int:
        """Give an output, one second before the time is over. Returns the status of the response."""
        given = GivenOutput(call_id="call_1", output=text)
        try:
            receive_tool_outputs(
                self.run.run_id,
                ToolOutputsRequest(outputs=(given,)),
                Caller(name=self.run.owner, person="ann", one_tenant=True),
                repository=self.repository,
                waiting_tasks=self.task,
                clock=clock_after(ANSWER_SECONDS - 1),
            )
        except CallConflict:
            return 409
        return 200

    @property
    def received(self) -> str:
        """What the workflow was told."""
        (output,) = self.task.received
        if output["approved_digest"]:
            assert output["approved_digest"] == self.call.arguments_digest
            return "approved"
        text = output["output"]["output"]
        if "in time" in text:
            return "timed out"
        return "denied" if "denied" in text else str(text)
