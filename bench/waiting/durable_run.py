"""The reference run as an AWS durable function, in an environment of its own.

`python durable_run.py ORDER`, with ORDER in JSON: `waiting` is "callback", or "condition" for a poll every
second. `runs` are the models of the runs with their tables, of which the last one is counted; `page` is what
they fetch, `openai` and `environment` lead to the local stack. The durable function runs in the test runner
of its SDK, in real time. Prints what the run used as JSON.
"""

import json
import os
import queue
import sys
import threading
import time
import urllib.request
from typing import Any

import boto3
from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration, JitterStrategy
from aws_durable_execution_sdk_python.waits import (
    WaitForConditionConfig,
    WaitStrategyConfig,
    create_wait_strategy,
)
from aws_durable_execution_sdk_python_testing import DurableFunctionTestRunner
from openai import OpenAI

TOOL: Any = {
    "type": "function",
    "name": "fetch",
    "parameters": {"type": "object", "properties": {"url": {"type": "string"}}, "required": ["url"]},
    "strict": False,
}
WORKING = ("queued", "in_progress")

HTTP_FUNCTIONS = ("start", "get", "webhook")
POLL_SECONDS = 1
WEBHOOK_CHECK_SECONDS = 0.05

ORDER: dict[str, Any] = {}
FINISHED = threading.Event()
CREATED: queue.Queue[str] = queue.Queue()


class Application:
    """The functions of the application. Each records how long its invocations took."""

    def __init__(self) -> None:
        self.openai = OpenAI(api_key="none", base_url=ORDER["openai"])
        self.table: Any = None
        self.invocations: list[tuple[str, float]] = []
        durable = durable_execution(self._execute)
        self.runner = DurableFunctionTestRunner(
            handler=lambda event, context: self._timed("durable", durable, event, context), skip_time=False
        )

    def start(self, event: dict[str, str]) -> str:
        """POST /runs: starts a durable execution. Returns its ARN."""
        arn = self._timed(
            "start",
            self.runner.run_async,
            input=json.dumps(event),
            execution_name=event["run_id"],
            execution_timeout=300,
        )
        return str(arn)

    def get(self, run_id: str) -> str:
        """GET /runs/{run_id}."""
        item: Any = self._timed("get", self.table.get_item, Key={"run_id": run_id})
        return str(item["Item"]["message"])

    def webhook(self, response_id: str) -> None:
        """POST /webhooks/openai: completes the callback of a response with what the model wants."""

        def receive() -> None:
            item: Any = self.table.get_item(Key={"run_id": response_id}, ConsistentRead=True)
            turn = json.dumps(self._turn(response_id)).encode()
            self.runner.send_callback_success(item["Item"]["callback_id"], turn)

        self._timed("webhook", receive)

    def history(self, arn: str) -> list[dict[str, Any]]:
        """All events of an execution."""
        executor = self.runner._executor  # the runner returns the first page alone
        events: list[dict[str, Any]] = []
        marker = None
        while not events or marker:
            page = executor.get_execution_history(arn, include_execution_data=True, marker=marker)
            events += [each.to_dict() for each in page.events]
            marker = page.next_marker
        return events

    def _execute(self, event: dict[str, str], context: DurableContext) -> dict[str, str]:
        """The durable function."""
        wait = self._wait_for_callback if ORDER["waiting"] == "callback" else self._wait_for_condition
        turn = wait(context, {"model": event["model"], "input": event["prompt"]})
        while turn["calls"]:
            outputs = [context.step(_fetch_step(call), name="fetch") for call in turn["calls"]]
            turn = wait(
                context,
                {"model": event["model"], "input": outputs, "previous_response_id": turn["response_id"]},
            )
        item = {"run_id": event["run_id"], "message": turn["text"]}
        context.step(lambda _: self.table.put_item(Item=item) and None, name="save")
        return {"run_id": event["run_id"]}

    def _wait_for_callback(self, context: DurableContext, request: dict[str, Any]) -> dict[str, Any]:
        def submit(callback_id: str, _: object) -> None:
            response_id = self._create(request)
            self.table.put_item(Item={"run_id": response_id, "callback_id": callback_id})
            CREATED.put(response_id)

        result: Any = context.wait_for_callback(submit, name="turn")
        return dict(json.loads(result))

    def _wait_for_condition(self, context: DurableContext, request: dict[str, Any]) -> dict[str, Any]:
        response_id = context.step(lambda _: self._create(request), name="create")
        strategy: Any = create_wait_strategy(
            WaitStrategyConfig(
                should_continue_polling=lambda turn: turn["status"] in WORKING,
                max_attempts=1000,
                initial_delay=Duration(seconds=POLL_SECONDS),
                backoff_rate=1,
                jitter_strategy=JitterStrategy.NONE,
            )
        )
        initial_state: Any = {"status": "queued"}
        turn: Any = context.wait_for_condition(
            lambda *_: self._turn(response_id),
            WaitForConditionConfig(wait_strategy=strategy, initial_state=initial_state),
            name="turn",
        )
        return dict(turn)

    def _create(self, request: dict[str, Any]) -> str:
        return str(self.openai.responses.create(**request, tools=[TOOL], background=True).id)

    def _turn(self, response_id: str) -> dict[str, Any]:
        """A response: its status, calls and text."""
        response = self.openai.responses.retrieve(response_id)
        calls = [
            {"call_id": item.call_id, "url": json.loads(item.arguments)["url"]}
            for item in response.output
            if item.type == "function_call"
        ]
        return {
            "response_id": response_id,
            "status": response.status,
            "calls": calls,
            "text": response.output_text,
        }

    def _timed(self, name: str, function: Any, *args: Any, **kwargs: Any) -> Any:
        start = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            self.invocations.append((name, time.perf_counter() - start))


def _fetch_step(call: dict[str, str]) -> Any:
    def fetch(_: object) -> dict[str, str]:
        with urllib.request.urlopen(call["url"]) as response:  # noqa: S310  # the page of the order
            text = response.read().decode()
        return {"type": "function_call_output", "call_id": call["call_id"], "output": text}

    return fetch


def send_webhooks(application: Application) -> None:
    """OpenAI's part: send a webhook when a response is done. What it takes is not the application's."""
    while not FINISHED.is_set():
        try:
            response_id = CREATED.get(timeout=WEBHOOK_CHECK_SECONDS)
        except queue.Empty:
            continue
        while application.openai.responses.retrieve(response_id).status in WORKING:
            time.sleep(WEBHOOK_CHECK_SECONDS)
        application.webhook(response_id)


def payload_bytes(value: Any) -> int:
    """The size of all payloads in an event of the history."""
    if not isinstance(value, dict):
        return 0
    own = value.get("Payload")
    return (len(own.encode()) if isinstance(own, str) else 0) + sum(map(payload_bytes, value.values()))


def main() -> None:
    """Execute the runs, and print what the last one used."""
    ORDER.update(json.loads(sys.argv[1]))
    os.environ.update(ORDER["environment"])
    application = Application()
    threading.Thread(target=send_webhooks, args=(application,), daemon=True).start()
    result: dict[str, Any] = {}
    for number, run in enumerate(ORDER["runs"]):
        application.invocations.clear()
        application.table = boto3.resource("dynamodb").Table(run["table"])
        run_id, prompt = f"run-{number}", f"Summarise {ORDER['page']}"
        start = time.perf_counter()
        arn = application.start({"run_id": run_id, "model": run["model"], "prompt": prompt})
        application.runner.wait_for_result(arn, timeout=300)
        seconds = time.perf_counter() - start
        if not application.get(run_id):
            raise SystemExit("a run has no message")
        result = {
            "seconds": seconds,
            "invocations": [taken for _, taken in application.invocations],
            "http_requests": sum(name in HTTP_FUNCTIONS for name, _ in application.invocations),
            "events": [(each["EventType"], payload_bytes(each)) for each in application.history(arn)],
        }
    FINISHED.set()
    application.runner.close()
    print(json.dumps(result))  # noqa: T201


if __name__ == "__main__":
    main()
