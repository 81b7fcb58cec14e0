"""Runs in the states in which the workflow hands them to a handler."""

import pytest
from support.events import Invoke, Recorded, sample

from local.cloud import LaptopCloud
from local.emulator import Say, Step
from upcall.caller import ANYBODY
from upcall.run import Run
from upcall.store import RunStore
from upcall.table import Table


@pytest.fixture
def store(laptop: LaptopCloud) -> RunStore:
    """The table of the laptop cloud."""
    return RunStore(Table(laptop.stack.dynamodb, laptop.stack.table), 30)


@pytest.fixture
def recorded(laptop: LaptopCloud, store: RunStore) -> Recorded:
    """Make the record of a run that follows a script, without starting the workflow on it."""

    def make(*steps: Step) -> Run:
        model = laptop.emulator.script(*(steps or (Say("Done."),)))
        run = Run.new(owner=ANYBODY, prompt="Go.", assistant="summarizer", model=model, run_api="responses")
        store.add(run)
        return run

    return make


@pytest.fixture
def created(recorded: Recorded, store: RunStore, invoke: Invoke) -> Recorded:
    """Make a run that lives upstream, and wait until the model has done its first step."""

    def make(*steps: Step) -> Run:
        run = recorded(*steps)
        made = invoke("CreateRunFunction", sample("create_run", run_id=run.run_id))
        invoke("PollRunFunction", sample("poll_run", run_id=run.run_id, handle=made["handle"]))
        return store.get(run.run_id)

    return make
