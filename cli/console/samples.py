"""A few runs to look at: `upcall console --samples`. They read the sample pages of a local stack."""

from typing import Any

from upcall.client import BatchRequest, RunRequest, UpcallClient

MESSAGE = "The tide comes twice a day."


def start_samples(api: str, pages: str) -> None:
    """Start a run of each kind, and a batch. Those that were started before are not started again."""
    inputs = [f"Summarise {pages}/{page}" for page in ("tides", "lighthouses", "bread", "long")]
    no_prompt = {"prompt": "", "custom_id": "without a prompt"}  # a line that fails
    batch = BatchRequest(inputs=(*inputs, no_prompt), concurrency=2, metadata={"sample": "batch"})
    with UpcallClient(api) as client:
        for name, request in _sample_runs(pages).items():
            client.start_run(RunRequest.model_validate(request), f"sample {name} {pages}")
        client.start_batch(batch, f"sample batch {pages}")


def _sample_runs(pages: str) -> dict[str, dict[str, Any]]:
    """Requests for runs. The offline model reads the pages first, then makes the call that is spelled out."""
    read_and_tell = f'Read {pages}/tides and tell the team: notify({{"message": "{MESSAGE}"}})'
    runs: dict[str, dict[str, Any]] = {
        "of two pages": {"prompt": f"Compare {pages}/tides and {pages}/lighthouses"},
        "of two rounds": {"assistant": "messenger", "prompt": read_and_tell},
        "over its limit": {"prompt": f"Summarise {pages}/bread", "limits": {"tokens": 1}},
        "with an approval": {"assistant": "announcer", "prompt": read_and_tell},
    }
    return {name: {**run, "metadata": {"sample": name}} for name, run in runs.items()}
