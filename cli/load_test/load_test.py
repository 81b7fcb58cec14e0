"""Runs a load test from its configuration to its report."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from cli.backends.local_stack import load_local_stack_class
from cli.load_test.audit import audit_runs, wait_for_executions
from cli.load_test.config import LoadTestConfig
from cli.load_test.event_listener import EventListener
from cli.load_test.plot import draw_svg
from cli.load_test.rate_limits import build_rate_limit_report
from cli.load_test.report import LoadTestReport, build_report, progress_bar
from cli.load_test.runner import execute_runs
from cli.load_test.webhooks import (
    MODEL_SECONDS,
    SECRET_NAME,
    build_webhook_report,
    wait_for_deliveries,
    webhook_faults,
)
from local.config import FUNCTION_LOG, LocalStackConfig
from local.peak_memory import peak_megabytes
from upcall.client import UpcallClient

if TYPE_CHECKING:
    from local.stack import LocalStack


def run_load_test(config: LoadTestConfig, err: Console, plot: Path | None = None) -> LoadTestReport:
    """Run a load test on a new local stack. If `plot` is given, write a plot to that file."""
    with tempfile.TemporaryDirectory() as folder, err.status("Starting the local stack") as status:
        stack_config = LocalStackConfig(
            state_folder=Path(folder),
            fault_rate=config.fault_rate,
            seed=config.seed,
            requests_per_minute=config.requests_per_minute,
            tokens_per_minute=config.tokens_per_minute,
        )
        if config.webhooks:
            stack_config = replace(
                stack_config,
                model_seconds=MODEL_SECONDS,
                webhook_faults=webhook_faults(config.seed),
                parameters={"OpenAIWebhookSecretName": SECRET_NAME},
            )
        with load_local_stack_class()(stack_config) as stack:
            status.stop()
            return _run_on(stack, config, Path(folder) / FUNCTION_LOG, err, plot)


def _run_on(
    stack: "LocalStack", config: LoadTestConfig, function_log: Path, err: Console, plot: Path | None
) -> LoadTestReport:
    """Run a load test on a stack that has no other runs."""
    listener = EventListener(stack.deployed.bus)
    prompt = f"Summarise {stack.endpoints.pages}/tides"
    with UpcallClient(stack.endpoints.api) as api, progress_bar(err, config.runs) as on_result:
        results = execute_runs(config, api, prompt, listener, on_result)
    webhooks = stack.emulator.webhooks
    wait_for_deliveries(webhooks)
    executions = wait_for_executions(stack.deployed)
    audit = audit_runs(stack.deployed, results, executions, listener.stop())
    if plot is not None:
        plot.write_text(draw_svg(results), "utf-8")
    return build_report(
        config,
        results,
        audit,
        peak_megabytes=peak_megabytes(),
        requests=stack.emulator.fault_injection.requests,
        faults=stack.emulator.fault_injection.injected,
        rate_limits=build_rate_limit_report(stack.emulator.models.rate_limits)
        if config.requests_per_minute or config.tokens_per_minute
        else None,
        turns=sum(len(turns) for turns in stack.emulator.models.started_turns.values()),
        webhooks=build_webhook_report(webhooks.deliveries, audit.pushed, function_log)
        if config.webhooks
        else None,
    )
