"""What tests of whole runs share: start one, wait for its end, see what each side saw."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import boto3
import httpx

from local.openai_emulator import Fault, Step
from local.openai_emulator.conversation import Conversation
from local.stack import LocalStack
from upcall.aws.step_functions import execution_arn

PATIENCE_SECONDS = 30


@dataclass(frozen=True)
class Ended:
    """A run that has ended: what GET shows, how its execution ended, what the model heard."""

    run: dict[str, Any]
    execution: dict[str, Any]
    heard: Sequence[Conversation]

    @property
    def outputs(self) -> list[Any]:
        """The outputs that the model read in the last round, parsed where they are JSON."""
        return [_parsed(exchange.output) for exchange in self.heard[-1].rounds[-1]]


class Runs:
    """Runs on a laptop cloud, over HTTP."""

    def __init__(self, laptop: LocalStack) -> None:
        self._laptop = laptop
        self._workflows = boto3.client("stepfunctions")
        self.http = httpx.Client(base_url=laptop.addresses.api, timeout=10)

    def post(self, body: str | dict[str, Any]) -> httpx.Response:
        """POST /runs."""
        return self.http.post("/runs", content=body if isinstance(body, str) else json.dumps(body))

    def follow(
        self, *steps: Step, prompt: str = "Go.", api: str | None = None, faults: Sequence[Fault] = ()
    ) -> Ended:
        """Run a script of the model's to its end, and see that each of its faults happened."""
        brain = self._laptop.emulator.brain
        model = brain.script(*steps, faults=faults)
        ended = self.run(prompt, model=model, run_api=api)
        assert brain.unspent(model) == []
        return ended

    def run(self, prompt: str | None, **fields: Any) -> Ended:
        """Run a prompt, or the input among the fields, to its end."""
        run_id = self.post({"prompt": prompt, **fields}).json()["run_id"]
        execution = self.ended_execution(run_id)
        run = self.http.get(f"/runs/{run_id}").json()
        return Ended(run, execution, self._laptop.emulator.brain.heard.get(run["model"], []))

    def start_execution(self, run_id: str) -> None:
        """Start the workflow on a run that is recorded."""
        self._workflows.start_execution(
            stateMachineArn=self._laptop.addresses.state_machine,
            name=run_id,
            input=json.dumps({"run_id": run_id}),
        )

    def wait_for_state(self, run_id: str, state: str) -> None:
        """Wait until the workflow has entered a state. Raises TimeoutError if it does not."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            if self.times_in_state(run_id, state):
                return
            time.sleep(0.02)
        raise TimeoutError(f"{run_id} has not come to {state}")

    def times_in_state(self, run_id: str, state: str) -> int:
        """How often the workflow has entered a state."""
        history = self._workflows.get_execution_history(executionArn=self._arn(run_id))["events"]
        return sum(event.get("stateEnteredEventDetails", {}).get("name") == state for event in history)

    def ended_execution(self, run_id: str) -> dict[str, Any]:
        """How a run's execution ended. Raises TimeoutError if it does not."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            execution = dict(self._workflows.describe_execution(executionArn=self._arn(run_id)))
            if execution["status"] != "RUNNING":
                return execution
            time.sleep(0.02)
        raise TimeoutError(f"{run_id} has not ended")

    def _arn(self, run_id: str) -> str:
        return execution_arn(self._laptop.addresses.state_machine, run_id)


def _parsed(output: str) -> Any:
    try:
        return json.loads(output)
    except ValueError:
        return output
