"""Whole runs on a local stack, from the request to the end of the workflow."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import boto3
import httpx

from local.openai_emulator import Fault, Step
from local.openai_emulator.conversation import Conversation
from local.stack import LocalStack
from support.event_listener import EventListener
from support.waiting import wait_until
from upcall.aws.step_functions import execution_arn
from upcall.domain.status import TERMINAL_STATUSES


@dataclass(frozen=True)
class EndedRun:
    """A run that has ended: the view of GET /runs/{id}, its execution, and what the model received, turn by turn."""

    run: dict[str, Any]
    execution: dict[str, Any]
    conversations: Sequence[Conversation]

    @property
    def outputs(self) -> list[Any]:
        """The tool outputs of the last round as the model received them, parsed if they are JSON."""
        return [_parse_json(exchange.output) for exchange in self.conversations[-1].rounds[-1]]


class Runs:
    """Starts runs over HTTP and waits for them. A context manager."""

    def __init__(self, local_stack: LocalStack, event_listener: EventListener) -> None:
        self._local_stack = local_stack
        self._event_listener = event_listener
        self._workflows = boto3.client("stepfunctions")
        self.http = httpx.Client(base_url=local_stack.endpoints.api, timeout=10)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def post(self, body: str | dict[str, Any]) -> httpx.Response:
        """POST /runs."""
        return self.http.post("/runs", content=body if isinstance(body, str) else json.dumps(body))

    def run_script(
        self, *steps: Step, prompt: str = "Go.", faults: Sequence[Fault] = (), **fields: Any
    ) -> EndedRun:
        """Run to the end with a model that follows these steps. Asserts that each fault happened."""
        models = self._local_stack.emulator.models
        model = models.script(*steps, faults=faults)
        ended = self.run(prompt, model=model, **fields)
        assert models.remaining_faults(model) == []
        return ended

    def run(self, prompt: str | None, **fields: Any) -> EndedRun:
        """Run a prompt, or the input among the fields, to the end."""
        return self.wait_for_end(self.post({"prompt": prompt, **fields}).json()["run_id"])

    def start_script(self, *steps: Step, **fields: Any) -> str:
        """Start a run whose model follows these steps. Returns its id."""
        model = self._local_stack.emulator.script(*steps)
        response = self.post({"prompt": "Go.", "model": model, **fields})
        assert response.status_code == 202, response.text
        run_id: str = response.json()["run_id"]
        return run_id

    def wait_for_end(self, run_id: str, attempt: int = 1) -> EndedRun:
        """A run, once the execution of that attempt has ended."""
        execution = self.wait_for_execution(run_id if attempt == 1 else f"{run_id}-{attempt}")
        run = self.http.get(f"/runs/{run_id}").json()
        return EndedRun(run, execution, self._local_stack.emulator.models.conversations.get(run["model"], []))

    def wait_for_open_calls(self, run_id: str, count: int = 1) -> list[dict[str, Any]]:
        """The calls of a run that wait for an answer from outside, as soon as there are so many."""

        def find() -> list[dict[str, Any]] | None:
            run = self.http.get(f"/runs/{run_id}").json()
            assert run["status"] not in TERMINAL_STATUSES, run.get("failure")
            calls: list[dict[str, Any]] = run["open_calls"]
            return calls if len(calls) == count else None

        return wait_until(find, f"{count} open calls of {run_id}")

    def decide(
        self, run_id: str, call: Mapping[str, Any], decision: str = "approve", **fields: Any
    ) -> httpx.Response:
        """Decide about an open call as it was shown, with some fields of the request changed."""
        body = {"decision": decision, "arguments_digest": call["arguments_digest"], **fields}
        return self.http.post(f"/runs/{run_id}/calls/{call['id']}/decision", json=body)

    def give_outputs(self, run_id: str, outputs: Mapping[str, str]) -> httpx.Response:
        """Give the outputs of calls, by the ids of the calls."""
        given = [{"call_id": call_id, "output": output} for call_id, output in outputs.items()]
        return self.http.post(f"/runs/{run_id}/tool_outputs", json={"outputs": given})

    def list_calls(self, run_id: str) -> list[dict[str, Any]]:
        """The ledger of a run."""
        calls: list[dict[str, Any]] = self.http.get(f"/runs/{run_id}/calls").json()["calls"]
        return calls

    def start_execution(self, run_id: str) -> None:
        """Start the workflow on a run that has a record."""
        self._workflows.start_execution(
            stateMachineArn=self._local_stack.endpoints.state_machine,
            name=run_id,
            input=json.dumps({"run_id": run_id}),
        )

    def wait_for_state(self, run_id: str, state: str) -> None:
        """Wait until the workflow has entered a state. Raises TimeoutError."""
        wait_until(lambda: state in self.entered_states(run_id), f"{state} of {run_id}")

    def entered_states(self, run_id: str) -> list[str]:
        """The states that the workflow has entered so far, in that order."""
        return [
            event["stateEnteredEventDetails"]["name"]
            for event in self.history(run_id)
            if "stateEnteredEventDetails" in event
        ]

    def history(self, execution_name: str) -> list[dict[str, Any]]:
        """All events of the execution of that name."""
        pages = self._workflows.get_paginator("get_execution_history")
        arn = self._arn(execution_name)
        return [dict(event) for page in pages.paginate(executionArn=arn) for event in page["events"]]

    def largest_state_bytes(self, run_id: str) -> int:
        """The size of the largest input, output or argument of a state, as UTF-8."""
        return max(
            len(value.encode())
            for event in self.history(run_id)
            for details in event.values()
            if isinstance(details, dict)
            for value in details.values()
            if isinstance(value, str)
        )

    def table_items(self, run_id: str) -> dict[str, Any]:
        """The items of a run in the table, by their sort keys."""
        found = self._local_stack.deployed.dynamodb.query(
            TableName=self._local_stack.deployed.table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": f"RUN#{run_id}"}},
        )
        return {item["sk"]["S"]: item for item in found["Items"]}

    def wait_for_execution(self, name: str) -> dict[str, Any]:
        """The description of an execution that has ended; the first one of a run has its id as the name."""
        self._event_listener.wait_for_execution(name)
        return self.describe_execution(name)

    def describe_execution(self, name: str) -> dict[str, Any]:
        """How an execution stands."""
        return dict(self._workflows.describe_execution(executionArn=self._arn(name)))

    def stop_execution(self, name: str) -> None:
        """Stop an execution, as somebody may do in the console of AWS."""
        self._workflows.stop_execution(executionArn=self._arn(name))

    def _arn(self, execution_name: str) -> str:
        return execution_arn(self._local_stack.endpoints.state_machine, execution_name)


def _parse_json(output: str) -> Any:
    try:
        return json.loads(output)
    except ValueError:
        return output
