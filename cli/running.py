"""`upcall run`: starts a run over HTTP, follows its execution, prints how it went."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import boto3
import httpx
from pydantic import ValidationError
from rich.console import Console

from cli import cost
from cli.clouds import Cloud, cloud
from cli.history import Progress, events, progress
from cli.live import View
from cli.problems import Problem
from cli.render import print_json, summary_line
from upcall.errors import InvalidInput
from upcall.field_errors import field_errors
from upcall.models import LedgerEntry
from upcall.run import RunView
from upcall.run_request import RunRequest

LOOK_EVERY_SECONDS = 0.15


@dataclass(frozen=True)
class Outcome:
    """How a run went: as its caller sees it, its ledger, and what it took."""

    run: RunView
    ledger: list[LedgerEntry]
    transitions: int
    dollars: float


def run_and_show(
    prompt: str | None,
    fields: Mapping[str, str | None],
    *,
    out: Console,
    err: Console,
    as_json: bool,
) -> bool:
    """Run a prompt, by default the summary of a sample page. Whether it completed.

    `fields` are the request's others, None where they are not given. Progress goes to `err`, the
    message to `out`. Raises Problem or InvalidInput for bad input.
    """
    if prompt is not None:
        _request(prompt, fields)  # bad input need not wait for a cloud
    with err.status("Starting the laptop cloud") as status, cloud() as chosen:
        request = _request(prompt or f"Summarise {chosen.addresses.pages}/tides", fields)
        run_id = _start(chosen, request)
        status.stop()
        server = "emulator" if chosen.addresses.emulated else chosen.addresses.openai
        err.print(f"{run_id}  {server}", style="dim", soft_wrap=True)
        err.print(request.prompt, style="bold", soft_wrap=True, markup=False)
        with View(err) as view:
            outcome = _follow(chosen, run_id, view)
    _print(outcome, out, err, as_json=as_json)
    return outcome.run.status == "completed"


def _request(prompt: str, fields: Mapping[str, str | None]) -> RunRequest:
    try:
        return RunRequest.model_validate({"prompt": prompt, **fields})
    except ValidationError as error:
        raise InvalidInput(*field_errors(error)) from error


def cancel(run_id: str) -> RunView:
    """Cancel a run. Raises Problem in the API's own words."""
    with cloud() as chosen:
        return RunView.model_validate(_post(chosen, f"/runs/{run_id}/cancel", ""))


def _start(chosen: Cloud, request: RunRequest) -> str:
    return str(_post(chosen, "/runs", request.model_dump_json(exclude_none=True))["run_id"])


def _post(chosen: Cloud, path: str, content: str) -> dict[str, Any]:
    answer = httpx.post(f"{chosen.addresses.api}{path}", content=content, timeout=30, trust_env=False)
    body: dict[str, Any] = answer.json()
    if not answer.is_success:
        raise Problem(body.get("detail") or body.get("message"))
    return body


def _follow(chosen: Cloud, run_id: str, view: View) -> Outcome:
    workflows = boto3.client("stepfunctions")
    while True:
        told = progress(events(workflows, chosen.execution_arn(run_id)))
        view.show(told)
        if told.ended:
            return _outcome(chosen, run_id, told)
        time.sleep(LOOK_EVERY_SECONDS)


def _outcome(chosen: Cloud, run_id: str, told: Progress) -> Outcome:
    shown = httpx.get(f"{chosen.addresses.api}/runs/{run_id}", timeout=30, trust_env=False)
    run = RunView.model_validate_json(shown.content)
    ledger = chosen.store.ledger(run_id)
    functions = boto3.client("lambda")
    memory_mb = {
        name: functions.get_function_configuration(FunctionName=name)["MemorySize"]
        for name in {each.function for each in told.invocations}
    }
    dollars = cost.estimate(told, memory_mb, run, ledger, run.message)
    return Outcome(run, ledger, told.transitions, dollars)


def _print(outcome: Outcome, out: Console, err: Console, *, as_json: bool) -> None:
    run = outcome.run
    if as_json:
        ledger = [entry.model_dump(mode="json") for entry in outcome.ledger]
        took = {"transitions": outcome.transitions, "estimated_dollars": outcome.dollars}
        print_json(out, {**run.model_dump(mode="json", exclude_none=True), **took, "ledger": ledger})
        return
    err.print()
    if run.message is not None:
        out.print(run.message, soft_wrap=not out.is_terminal, markup=False)
        err.print()
    elif run.failure:
        words = f"{run.failure.code}: {run.failure.message}"
        err.print(words, style="red", soft_wrap=True, markup=False)
    err.print(summary_line(run, outcome.transitions, outcome.dollars), soft_wrap=True)
