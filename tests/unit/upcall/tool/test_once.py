"""Calls with an effect: made once, whatever dies and whoever asks again."""

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


class Paying:
    """A tool that pays, and counts how often it did."""

    def __init__(self) -> None:
        self.payments: list[str] = []

        def pay(what: str) -> str:
            """Pay for something."""
            if what == "nothing":
                raise ToolError("there is nothing to pay")
            self.payments.append(what)
            if what == "trouble":
                raise RuntimeError("after the payment")
            return f"paid for {what}"

        self.tool = tool(pay, effect="once")


def call(what: str, call_id: str = "call_1") -> dict[str, Any]:
    return {
        "run_id": f"run_{uuid.uuid4().hex[:28]}",
        "call_id": call_id,
        "arguments": json.dumps({"what": what}),
        "max_output_bytes": 1000,
    }


def asked(laptop: LocalStack, made: Tool, event: dict[str, Any]) -> dict[str, Any]:
    """Ask the tool in the environment of a function that may write to the table."""
    with function_environment(laptop.stack.functions["NotifyFunction"].environment):
        return made(event)


@pytest.mark.parametrize("what", ["bread", "trouble"])
def test_the_same_call_asked_again_gets_the_same_answer_and_is_not_made_again(
    laptop: LocalStack, what: str
) -> None:
    paying, event = Paying(), call(what)

    first, second = (asked(laptop, paying.tool, event) for _ in range(2))

    assert paying.payments == [what]
    assert first == second


def test_other_calls_and_other_runs_are_made(laptop: LocalStack) -> None:
    paying, event = Paying(), call("bread")
    for other in (event, {**event, "call_id": "call_2"}, call("bread")):
        assert asked(laptop, paying.tool, other)["outcome"] == "ok"

    assert paying.payments == ["bread"] * 3


def test_a_call_that_cannot_be_taken_may_be_mended_and_made(laptop: LocalStack) -> None:
    paying, event = Paying(), call("bread")

    assert asked(laptop, paying.tool, {**event, "arguments": "{}"})["outcome"] == "error"
    assert asked(laptop, paying.tool, event)["outcome"] == "ok"


def test_a_hundred_at_once_are_one(laptop: LocalStack) -> None:
    paying, event = Paying(), call("bread")
    outputs: list[dict[str, Any]] = []
    threads = [
        threading.Thread(target=lambda: outputs.append(asked(laptop, paying.tool, event))) for _ in range(100)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert paying.payments == ["bread"]
    assert {output["outcome"] for output in outputs} <= {"ok", "unknown"}


def test_a_call_that_takes_too_long_is_unknown_to_the_model(laptop: LocalStack) -> None:
    released = threading.Event()

    def wait() -> str:
        """Wait."""
        released.wait(10)
        return "done"

    class Context:
        def get_remaining_time_in_millis(self) -> int:
            return 600

    made, event = tool(wait, effect="once"), {**call(""), "arguments": "{}"}
    with function_environment(laptop.stack.functions["NotifyFunction"].environment):
        output = made(event, Context())
        again = made(event)
    released.set()

    assert (output["outcome"], again["outcome"]) == ("unknown", "unknown")
    assert "will not be repeated" in output["output"]


KILLED = '''
import json, os, sys
from pathlib import Path
from upcall.tool import tool

_, ledger, event, end = sys.argv

def pay(what: str) -> str:
    """Pay for something."""
    with Path(ledger).open("a") as file:
        file.write(what)
    if end == "killed":
        os.kill(os.getpid(), 9)
    return f"paid for {what}"

print(json.dumps(tool(pay, effect="once")(json.loads(event))))
'''


def in_a_process(ledger: Path, event: str, end: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", KILLED, str(ledger), event, end],
        env={**environment, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_process_that_is_killed_in_the_middle_of_a_call_leaves_it_unknown(
    laptop: LocalStack, tmp_path: Path
) -> None:
    """SIGKILL after the payment and before its end is noted: nobody can know, so nobody may repeat it."""
    ledger, event = tmp_path / "ledger", json.dumps(call("bread "))
    environment = laptop.stack.functions["NotifyFunction"].environment

    killed = in_a_process(ledger, event, "killed", **environment)
    retried = in_a_process(ledger, event, "alive", **environment)

    assert killed.returncode == -9
    assert ledger.read_text() == "bread "
    output = json.loads(retried.stdout.splitlines()[-1])
    assert output["outcome"] == "unknown"
    assert "an earlier try was interrupted" in output["output"]


def test_without_its_table_nothing_is_done(laptop: LocalStack, tmp_path: Path) -> None:
    """The workflow tries again, for a table out of reach is weather."""
    ledger = tmp_path / "ledger"
    environment = {**laptop.stack.functions["NotifyFunction"].environment, "TABLE_NAME": "gone"}

    done = in_a_process(ledger, json.dumps(call("bread")), "alive", **environment)

    assert TransientError.__name__ in done.stderr
    assert not ledger.exists()


def test_the_note_leaves_the_table_with_the_runs(laptop: LocalStack) -> None:
    event = call("bread")
    asked(laptop, Paying().tool, event)

    found = boto3.client("dynamodb").query(
        TableName=laptop.stack.table,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": f"RUN#{event['run_id']}"}},
    )
    (note,) = found["Items"]
    assert note["sk"]["S"].startswith("ONCE#")
    assert int(note["expires_at"]["N"]) > 0
