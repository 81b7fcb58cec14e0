"""From an empty account to a stack and back: the guides, command by command, and every kind of run between them.

The tests run in the order of this file, on one engine. Each needs those before it.
"""

import json
import re
import time
from typing import Any

import pytest
from deployment.conftest import CALLBACK_HOST, PAGES_HOST
from deployment.deployed import SECONDS, Deployment, wait_for
from deployment.guide import run_guide

from local.config import ROOT
from local.openai_emulator.conversation import Hang, Say
from upcall.web.standard_webhooks import rejection_reason

PAGE = f"http://{PAGES_HOST}/tides"
CALLBACK_SECRET = "whsec_dGhlIGNhbGxiYWNrIHNlY3JldCBvZiBhIGRlcGxveWVkIHN0YWNr"  # noqa: S105  # of nobody


def test_every_command_of_the_guide_to_deploying_works(deployment: Deployment) -> None:
    run_guide(deployment, "deploying.md")


def test_the_stack_takes_settings_from_the_file_alone(deployment: Deployment) -> None:
    deployment.client("secretsmanager").create_secret(
        Name="upcall/callback-secret", SecretString=CALLBACK_SECRET
    )
    deployment.settings.set(
        Authorization="iam",
        AllowedDomains="",
        Tenancy="one",
        CallbackSecretName="upcall/callback-secret",
    )

    deployment.succeed("make deploy")

    assert deployment.parameters()["Authorization"] == "iam"
    assert deployment.parameters()["RetentionDays"] == "90"


@pytest.mark.parametrize("run_api", ["responses", "assistants", "agents"])
def test_a_run_reads_a_page_and_ends_with_a_message(deployment: Deployment, run_api: str) -> None:
    run = run_prompt(deployment, f"--api {run_api} 'Summarise {PAGE}'")

    assert run["status"] == "completed"
    assert run["run_api"] == run_api
    assert run["message"].startswith("Why the tide comes twice a day")
    assert [entry["output"]["outcome"] for entry in run["ledger"]] == ["ok"]


def test_a_function_cannot_read_an_address_that_is_not_public(deployment: Deployment) -> None:
    run = run_prompt(deployment, f"'Summarise {deployment.emulator.base_url}'")

    assert [entry["output"]["outcome"] for entry in run["ledger"]] == ["error"]


def test_an_event_on_the_bus_starts_a_run(deployment: Deployment) -> None:
    entry = {
        "EventBusName": deployment.output("BusName"),
        "Source": "shop",
        "DetailType": "Run Requested",
        "Detail": json.dumps({"prompt": f"Summarise {PAGE} for the bus"}),
    }

    assert deployment.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0

    assert completed_run(deployment, "for the bus")["excerpt"].startswith("Summarise")


def test_an_object_in_the_inbox_is_summarised(deployment: Deployment) -> None:
    page = (ROOT / "local" / "sample_pages" / "bread.html").read_bytes()

    deployment.client("s3").put_object(
        Bucket=deployment.output("InboxBucketName"), Key="letters/bread.html", Body=page
    )

    assert completed_run(deployment, "stored object")


def test_a_message_in_the_request_queue_starts_a_run(deployment: Deployment) -> None:
    deployment.client("sqs").send_message(
        QueueUrl=deployment.output("RequestQueueUrl"),
        MessageBody=json.dumps({"prompt": f"Summarise {PAGE} for the queue"}),
    )

    assert completed_run(deployment, "for the queue")


def test_the_schedule_starts_a_run(deployment: Deployment) -> None:
    message = json.loads((ROOT / "events" / "messages" / "digest_requested.json").read_text("utf-8"))
    message["detail"]["urls"] = f"{PAGE}?digest"

    deployment.client("sqs").send_message(
        QueueUrl=deployment.output("RequestQueueUrl"), MessageBody=json.dumps(message)
    )

    assert completed_run(deployment, "tides?digest")


def test_a_message_that_is_no_request_goes_to_the_dead_letter_queue(deployment: Deployment) -> None:
    deployment.client("sqs").send_message(
        QueueUrl=deployment.output("RequestQueueUrl"), MessageBody='{"prompt": ""}'
    )

    queue = deployment.output("DeadLetterQueueUrl")
    (message,) = wait_for(
        lambda: (
            deployment.client("sqs")
            .receive_message(QueueUrl=queue, MessageAttributeNames=["All"], VisibilityTimeout=0)
            .get("Messages")
        )
    )
    assert "prompt" in message["MessageAttributes"]["reason"]["StringValue"]


def test_the_end_of_a_run_is_posted_to_its_callback_url(deployment: Deployment) -> None:
    request = json.dumps({"prompt": f"Summarise {PAGE}", "callback_url": f"http://{CALLBACK_HOST}/runs"})

    accepted = json.loads(deployment.succeed(f"call \"$API_URL/runs\" -d '{request}'"))

    callback = deployment.callbacks.wait(SECONDS)
    assert rejection_reason(CALLBACK_SECRET, callback.headers, callback.body, now=time.time()) is None
    posted = json.loads(callback.body)
    assert posted["type"] == "run.completed"
    assert posted["data"]["run_id"] == accepted["run_id"]


def test_a_run_is_cancelled_on_the_server_too(deployment: Deployment) -> None:
    model = deployment.emulator.script(Hang())
    run_id = start_run(deployment, model)
    wait_for(lambda: deployment.emulator.models.started_turns.get(model))

    deployment.succeed(f".venv/bin/upcall cancel {run_id} --stack upcall")

    assert get_run(deployment, run_id)["status"] == "cancelled"
    (turn,) = deployment.emulator.models.started_turns[model]
    assert turn.cancelled


def test_runs_in_progress_survive_an_update(deployment: Deployment) -> None:
    model = deployment.emulator.script(Hang())
    run_id = start_run(deployment, model)
    wait_for(lambda: deployment.emulator.models.started_turns.get(model))
    handler = deployment.shell.folder / "src" / "handlers" / "poll_run.py"
    handler.write_text(handler.read_text("utf-8") + "\n# the next version\n", "utf-8")
    deployment.settings.set(LogLevel="DEBUG")

    deployment.succeed("make deploy")
    (turn,) = deployment.emulator.models.started_turns[model]
    turn.step = Say("The next version has it.")

    run = wait_for(lambda: ended(get_run(deployment, run_id)))
    assert run["status"] == "completed"
    assert run["message"] == "The next version has it."


def test_every_command_of_the_guide_to_operating_works_and_nothing_is_left(deployment: Deployment) -> None:
    executions = deployment.client("stepfunctions").list_executions(
        stateMachineArn=deployment.output("StateMachineArn")
    )["executions"]

    run_guide(
        deployment,
        "operating.md",
        values={"EXECUTION_ARN": executions[0]["executionArn"]},
        findings={".venv/bin/upcall doctor --stack upcall": "dead letters"},
    )

    assert remaining_resources(deployment) == []
    (secret,) = deployment.client("secretsmanager").list_secrets(
        Filters=[{"Key": "name", "Values": ["upcall/"]}]
    )["SecretList"]
    assert secret["Name"] == "upcall/callback-secret"


def remaining_resources(deployment: Deployment) -> list[str]:
    """What is left of the stack `upcall`: the guide to deploying made two others."""
    client = deployment.client
    names = [
        *(each["StackName"] for each in client("cloudformation").describe_stacks()["Stacks"]),
        *(each["FunctionName"] for each in client("lambda").list_functions()["Functions"]),
        *(each["LayerName"] for each in client("lambda").list_layers()["Layers"]),
        *(each["name"] for each in client("stepfunctions").list_state_machines()["stateMachines"]),
        *(each["Name"] for each in client("apigatewayv2").get_apis()["Items"]),
        *(url.rpartition("/")[2] for url in client("sqs").list_queues().get("QueueUrls", [])),
        *client("dynamodb").list_tables()["TableNames"],
        *(each["Name"] for each in client("s3").list_buckets()["Buckets"]),
    ]
    return [name for name in names if re.match(r"upcall\b(?!-(dev|prod)\b)", name)]


def run_prompt(deployment: Deployment, arguments: str) -> dict[str, Any]:
    result = deployment.succeed(f".venv/bin/upcall run --stack upcall --json {arguments} 2>/dev/null")
    run: dict[str, Any] = json.loads(result)
    return run


def start_run(deployment: Deployment, model: str) -> str:
    request = json.dumps({"prompt": "Take your time", "model": model})
    run_id: str = json.loads(deployment.succeed(f"call \"$API_URL/runs\" -d '{request}'"))["run_id"]
    return run_id


def get_run(deployment: Deployment, run_id: str) -> dict[str, Any]:
    run: dict[str, Any] = json.loads(deployment.succeed(f'call "$API_URL/runs/{run_id}"'))
    return run


def ended(run: dict[str, Any]) -> dict[str, Any] | None:
    return run if "ended_at" in run else None


def completed_run(deployment: Deployment, excerpt: str) -> dict[str, Any]:
    """The run with this text in its excerpt, as soon as it has ended; it must have completed."""

    def find() -> dict[str, Any] | None:
        listed = json.loads(deployment.succeed(".venv/bin/upcall list --stack upcall --json"))
        return next((each for each in listed if excerpt in each["excerpt"] and "ended_at" in each), None)

    run: dict[str, Any] = wait_for(find)
    assert run["status"] == "completed"
    return run
