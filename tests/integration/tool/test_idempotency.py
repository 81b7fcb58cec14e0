"""Calls with an effect: made at most once, even if a process crashes or the workflow retries."""

import json
import subprocess
import sys
import threading
import uuid
from pathlib import Path
from typing import Any

import boto3
import pytest

from local.config import ROOT
from local.lambda_runtime import function_environment
from local.stack import LocalStack
from upcall.domain.errors import ToolError, TransientError
from upcall.tool import Tool, tool


class PaymentTool:
    """A tool with an effect, and the list of payments that it has made."""

    def __init__(self) -> None:
        self.payments: list[str] = []

        def pay(item: str) -> str:
            """Pay for something."""
            if item == "nothing":
                raise ToolError("there is nothing to pay")
            self.payments.append(item)
            if item == "trouble":
                raise RuntimeError("after the payment")
            return f"paid for {item}"

        self.tool = tool(pay, effect="once")


def tool_event(item: str) -> dict[str, Any]:
    return {
        "run_id": f"run_{uuid.uuid4().hex[:28]}",
        "round": 1,
        "position": 1,
        "call_id": "call_1",
        "arguments": json.dumps({"item": item}),
        "max_output_bytes": 1000,
    }


def invoke_tool(local_stack: LocalStack, tool: Tool, event: dict[str, Any]) -> dict[str, Any]:
    """Run the tool in the environment of a function that may write to the table."""
    with function_environment(local_stack.deployed.functions["NotifyFunction"].environment):
        return tool(event)


@pytest.mark.parametrize("item", ["bread", "trouble"])
def test_a_repeated_call_gets_the_first_output_and_is_not_made_again(
    local_stack: LocalStack, item: str
) -> None:
    payment, event = PaymentTool(), tool_event(item)

    first, second = (invoke_tool(local_stack, payment.tool, event) for _ in range(2))

    assert payment.payments == [item]
    assert first == second


def test_other_calls_and_calls_of_other_runs_are_made(local_stack: LocalStack) -> None:
    payment, event = PaymentTool(), tool_event("bread")
    others = (event, {**event, "round": 2}, {**event, "position": 2}, tool_event("bread"))
    for other in others:
        assert invoke_tool(local_stack, payment.tool, other)["outcome"] == "ok"

    assert payment.payments == ["bread"] * len(others)


def test_ids_of_the_server_that_start_anew_in_each_round_skip_no_call(local_stack: LocalStack) -> None:
    payment, event = PaymentTool(), tool_event("milk")
    bread = {**event, "round": 2, "arguments": json.dumps({"item": "bread"})}

    outputs = [invoke_tool(local_stack, payment.tool, each) for each in (event, bread)]

    assert payment.payments == ["milk", "bread"]
    assert [output["output"] for output in outputs] == ["paid for milk", "paid for bread"]


@pytest.mark.parametrize("call_id", ["", "None", "ä" * 1000])
def test_any_id_of_the_server_keeps_a_repeated_call_from_being_made_again(
    local_stack: LocalStack, call_id: str
) -> None:
    payment, event = PaymentTool(), {**tool_event("bread"), "call_id": call_id}
    outputs = [invoke_tool(local_stack, payment.tool, event) for _ in range(2)]

    assert payment.payments == ["bread"]
    assert outputs[0] == outputs[1]


def test_the_same_place_in_another_attempt_with_other_arguments_is_another_call(
    local_stack: LocalStack,
) -> None:
    """A failed attempt may have made a call in a round that its ledger does not count."""
    payment, event = PaymentTool(), tool_event("milk")
    outputs = [
        invoke_tool(local_stack, payment.tool, {**event, "arguments": json.dumps({"item": item})})
        for item in ("milk", "bread")
    ]

    assert payment.payments == ["milk", "bread"]
    assert outputs[1]["output"] == "paid for bread"


def test_a_call_with_invalid_arguments_can_be_corrected_and_made(local_stack: LocalStack) -> None:
    payment, event = PaymentTool(), tool_event("bread")

    assert invoke_tool(local_stack, payment.tool, {**event, "arguments": "{}"})["outcome"] == "error"
    assert invoke_tool(local_stack, payment.tool, event)["outcome"] == "ok"


def test_a_hundred_concurrent_calls_are_made_once(local_stack: LocalStack) -> None:
    payment, event = PaymentTool(), tool_event("bread")
    outputs: list[dict[str, Any]] = []
    threads = [
        threading.Thread(target=lambda: outputs.append(invoke_tool(local_stack, payment.tool, event)))
        for _ in range(100)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert payment.payments == ["bread"]
    assert {output["outcome"] for output in outputs} <= {"ok", "unknown"}


def test_a_call_that_takes_too_long_has_an_unknown_outcome(local_stack: LocalStack) -> None:
    released = threading.Event()

    def wait() -> str:
        """Wait."""
        released.wait(10)
        return "done"

    class Context:
        def get_remaining_time_in_millis(self) -> int:
            return 600

    slow_tool, event = tool(wait, effect="once"), {**tool_event(""), "arguments": "{}"}
    with function_environment(local_stack.deployed.functions["NotifyFunction"].environment):
        output = slow_tool(event, Context())
        repeated = slow_tool(event)
    released.set()

    assert (output["outcome"], repeated["outcome"]) == ("unknown", "unknown")
    assert "will not be repeated" in output["output"]


PROGRAM = '''
import json, os, sys
from pathlib import Path
from upcall.tool import tool

_, payments, event, end = sys.argv

def pay(item: str) -> str:
    """Pay for something."""
    with Path(payments).open("a") as file:
        file.write(item)
    if end == "crash":
        os.kill(os.getpid(), 9)
    return f"paid for {item}"

print(json.dumps(tool(pay, effect="once")(json.loads(event))))
'''


def run_in_process(
    payments: Path, event: dict[str, Any], end: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, str(payments), json.dumps(event), end],
        env={**environment, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_call_whose_process_was_killed_has_an_unknown_outcome_and_is_not_repeated(
    local_stack: LocalStack, tmp_path: Path
) -> None:
    """SIGKILL after the payment and before its end is recorded: nobody can know whether it was made."""
    payments, event = tmp_path / "payments", tool_event("bread ")
    environment = local_stack.deployed.functions["NotifyFunction"].environment

    killed = run_in_process(payments, event, "crash", **environment)
    retried = run_in_process(payments, event, "return", **environment)

    assert killed.returncode == -9
    assert payments.read_text() == "bread "
    output = json.loads(retried.stdout.splitlines()[-1])
    assert output["outcome"] == "unknown"
    assert "an earlier try was interrupted" in output["output"]


def test_without_the_table_no_call_is_made_and_the_workflow_retries(
    local_stack: LocalStack, tmp_path: Path
) -> None:
    payments = tmp_path / "payments"
    environment = {**local_stack.deployed.functions["NotifyFunction"].environment, "TABLE_NAME": "gone"}

    finished = run_in_process(payments, tool_event("bread"), "return", **environment)

    assert TransientError.__name__ in finished.stderr
    assert not payments.exists()


def test_the_record_of_a_call_expires_with_its_run(local_stack: LocalStack) -> None:
    event = tool_event("bread")
    invoke_tool(local_stack, PaymentTool().tool, event)

    found = boto3.client("dynamodb").query(
        TableName=local_stack.deployed.table,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": f"ONCE#{event['run_id']}"}},
    )
    (record,) = found["Items"]
    assert record["sk"]["S"].startswith("ONCE#")
    assert int(record["expires_at"]["N"]) > 0
