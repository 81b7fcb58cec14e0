from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError
from support.batch_records import new_batch
from support.fakes.clock import START, FakeClock
from support.fakes.run_api import FakeRunApi
from support.fakes.run_repository import InMemoryRunRepository
from support.fakes.workflow import InMemoryWorkflow
from support.run_records import FAILURE, UPSTREAM_RUN, USAGE, new_run

from upcall.domain.assistants import Assistant, find_assistant
from upcall.domain.batch import Batch
from upcall.domain.caller import Caller
from upcall.domain.errors import FieldError, IdempotencyKeyConflict, InvalidInput, QuotaExceeded, Stopped
from upcall.domain.quota import NO_QUOTA, Quota, QuotaSetting
from upcall.domain.run import Run
from upcall.domain.run_request import Reasoning, RunRequest
from upcall.domain.stop import Stop
from upcall.domain.upstream_run import Message
from upcall.use_cases import start_run as start_run_module
from upcall.use_cases.start_run import RunDefaults, start_run

Start = Callable[..., Run]
"""Start a run as `caller`, with an idempotency key, and with the fields of the request."""


class CallbackUrlChecker:
    """`checked` lists the URLs that were checked; `error` is raised for each if it is set."""

    def __init__(self) -> None:
        self.checked: list[str] = []
        self.error: InvalidInput | None = None

    def __call__(self, url: str) -> None:
        self.checked.append(url)
        if self.error is not None:
            raise self.error


@pytest.fixture
def check_callback_url() -> CallbackUrlChecker:
    return CallbackUrlChecker()


@pytest.fixture
def start(
    repository: InMemoryRunRepository,
    run_api: FakeRunApi,
    workflow: InMemoryWorkflow,
    clock: FakeClock,
    check_callback_url: CallbackUrlChecker,
) -> Start:
    def call(
        caller: str = "ann",
        idempotency_key: str | None = None,
        quota: Quota = NO_QUOTA,
        batch_line: tuple[Batch, int] | None = None,
        traceparent: str | None = None,
        **fields: Any,
    ) -> Run:
        return start_run(
            RunRequest.model_validate({"prompt": "Go.", **fields}),
            Caller(caller, one_tenant=False),
            idempotency_key,
            batch_line,
            traceparent,
            defaults=RunDefaults("default-model", "responses", quota),
            repository=repository,
            get_run_api=run_api.get,
            workflow=workflow,
            check_callback_url=check_callback_url,
            clock=clock,
        )

    return call


@pytest.fixture
def completed_run(repository: InMemoryRunRepository) -> Run:
    """A completed run of ann's, with another model and assistant than the defaults."""
    run = repository.add_run(new_run(owner="ann", model="its-model", assistant="messenger"))
    repository.record_creation(run, UPSTREAM_RUN, "polled")
    return repository.complete_run(repository.get_run(run.run_id), Message(text="Done."), START)


def runs_of(repository: InMemoryRunRepository) -> list[str]:
    return [run.run_id for run in repository.list_runs(owner=None, status=None, limit=100).runs]


def test_a_run_is_recorded_and_an_execution_of_its_name_started(
    start: Start, repository: InMemoryRunRepository, workflow: InMemoryWorkflow
) -> None:
    run = start()

    assert repository.get_run(run.run_id) == run
    assert list(workflow.executions) == [run.run_id]
    assert run.status == "queued"


def test_the_record_holds_the_request_the_caller_the_time_and_the_defaults(start: Start) -> None:
    run = start(prompt="Summarise https://example.com")

    assert (run.prompt, run.owner, run.created_at) == ("Summarise https://example.com", "ann", START)
    assert (run.assistant, run.model, run.run_api) == ("summarizer", "default-model", "responses")


def test_a_valid_trace_context_is_recorded_and_an_invalid_one_ignored(start: Start) -> None:
    traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    assert start(traceparent=traceparent).traceparent == traceparent
    assert start(traceparent=traceparent.upper()).traceparent is None


def test_the_same_request_in_another_trace_returns_the_run_with_its_first_trace(start: Start) -> None:
    headers = [f"00-{digit * 32}-00f067aa0ba902b7-01" for digit in "12"]

    first, second = (start(idempotency_key="k", traceparent=header) for header in headers)

    assert first == second
    assert second.traceparent == headers[0]


def test_a_conversation_may_take_the_place_of_a_prompt(start: Start) -> None:
    run = start(prompt=None, input=[{"role": "user", "content": "Go."}])

    assert run.prompt is None
    assert [item.content for item in run.items] == ["Go."]


def test_nothing_is_requested_from_the_server(start: Start, run_api: FakeRunApi) -> None:
    start()

    assert (run_api.prepared, run_api.created, run_api.polled) == ([], [], [])


def test_limits_and_metadata_of_the_request_are_recorded(start: Start) -> None:
    run = start(limits={"rounds": 2}, metadata={"ticket": "4711"})

    assert (run.limits.rounds, run.limits.seconds) == (2, 900)
    assert run.metadata == {"ticket": "4711"}


@pytest.mark.parametrize(
    ("fields", "assistant_model", "model"),
    [
        ({"model": "requested-model"}, "assistants-model", "requested-model"),
        ({}, "assistants-model", "assistants-model"),
        ({}, None, "default-model"),
    ],
    ids=["the request's", "the assistant's", "the default"],
)
def test_the_model_is_that_of_the_request_or_the_assistant_or_the_default(
    start: Start,
    monkeypatch: pytest.MonkeyPatch,
    fields: dict[str, Any],
    assistant_model: str | None,
    model: str,
) -> None:
    assistant = Assistant(name="a", description="d", instructions="i", model=assistant_model)
    monkeypatch.setattr(start_run_module, "find_assistant", lambda _: assistant)

    assert start(**fields).model == model


def test_an_assistant_that_does_not_exist_is_named_and_nothing_is_recorded(
    start: Start, repository: InMemoryRunRepository
) -> None:
    with pytest.raises(
        InvalidInput, match="assistant: there is no assistant 'nobody'; there is announcer, messenger"
    ):
        start(assistant="nobody")
    assert runs_of(repository) == []


def test_a_field_that_the_run_api_does_not_support_is_named_and_nothing_is_recorded(
    start: Start, run_api: FakeRunApi, repository: InMemoryRunRepository, workflow: InMemoryWorkflow
) -> None:
    run_api.unsupported = FieldError("response_format", "is not supported")

    with pytest.raises(InvalidInput) as caught:
        start()
    assert caught.value.errors == (run_api.unsupported,)
    assert (runs_of(repository), workflow.executions) == ([], {})


def test_a_callback_url_is_checked_and_recorded(start: Start, check_callback_url: CallbackUrlChecker) -> None:
    run = start(callback_url="https://example.com/hook")

    assert run.callback_url == "https://example.com/hook"
    assert check_callback_url.checked == ["https://example.com/hook"]


def test_a_run_without_a_callback_url_needs_no_check(
    start: Start, check_callback_url: CallbackUrlChecker
) -> None:
    start()

    assert check_callback_url.checked == []


def test_with_a_callback_url_that_is_not_allowed_nothing_is_recorded(
    start: Start, check_callback_url: CallbackUrlChecker, repository: InMemoryRunRepository
) -> None:
    check_callback_url.error = InvalidInput(FieldError("callback_url", "is not allowed"))

    with pytest.raises(InvalidInput):
        start(callback_url="https://example.com/hook", idempotency_key="a key")
    assert runs_of(repository) == []

    check_callback_url.error = None
    assert start(callback_url="https://example.com/other", idempotency_key="a key"), "the key is not claimed"


def test_the_same_key_and_request_return_the_same_run(start: Start, workflow: InMemoryWorkflow) -> None:
    first, second = (start(idempotency_key="a key") for _ in range(2))

    assert first == second
    assert list(workflow.executions) == [first.run_id]


def test_without_a_key_the_same_request_starts_another_run(start: Start) -> None:
    assert start().run_id != start().run_id


def test_another_key_starts_another_run(start: Start) -> None:
    assert start(idempotency_key="a key").run_id != start(idempotency_key="another").run_id


def test_the_order_of_the_fields_does_not_make_another_request(start: Start) -> None:
    fields = {"metadata": {"a": "b"}, "limits": {"rounds": 2}}
    first = start(idempotency_key="a key", **fields)

    assert start(idempotency_key="a key", **dict(reversed(fields.items()))).run_id == first.run_id


def test_a_key_that_stands_for_another_request_is_a_conflict(
    start: Start, repository: InMemoryRunRepository
) -> None:
    first = start(idempotency_key="a key")

    with pytest.raises(IdempotencyKeyConflict, match="this idempotency key stands for another request"):
        start(idempotency_key="a key", prompt="Stop.")
    assert runs_of(repository) == [first.run_id]


def test_the_same_key_of_two_callers_stands_for_two_runs(start: Start) -> None:
    hers = start("ann", "a key")

    assert start("ann", "a key").run_id == hers.run_id
    assert start("bob", "a key").run_id != hers.run_id


def crash(*_: object) -> None:
    raise ConnectionError("the function died here")


def test_a_run_whose_key_was_claimed_and_that_was_never_added_is_started(
    start: Start,
    repository: InMemoryRunRepository,
    workflow: InMemoryWorkflow,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patches:
        patches.setattr(repository, "add_run", crash)
        with pytest.raises(ConnectionError):
            start(idempotency_key="a key")
    claim = repository.claim_idempotency_key("a key", new_run(owner="ann"), "")

    run = start(idempotency_key="a key")

    assert run.run_id == claim.run_id
    assert repository.get_run(run.run_id).prompt == "Go."
    assert list(workflow.executions) == [run.run_id]


def test_a_run_whose_execution_could_not_be_started_is_recorded_and_the_same_key_starts_it(
    start: Start,
    repository: InMemoryRunRepository,
    workflow: InMemoryWorkflow,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patches:
        patches.setattr(workflow, "start_execution", crash)
        with pytest.raises(ConnectionError):
            start(idempotency_key="a key")
    (run_id,) = runs_of(repository)

    assert start(idempotency_key="a key").run_id == run_id
    assert list(workflow.executions) == [run_id]


@pytest.mark.parametrize("status", ["in_progress", "failed"])
def test_the_same_key_does_not_start_a_run_again_that_works_or_has_ended(
    start: Start, repository: InMemoryRunRepository, workflow: InMemoryWorkflow, status: str
) -> None:
    run = start(idempotency_key="a key")
    repository.record_creation(run, UPSTREAM_RUN, "polled")
    if status == "failed":
        repository.record_failure(run, FAILURE, USAGE, START)
    workflow.executions.clear()

    again = start(idempotency_key="a key")

    assert (again.run_id, again.status) == (run.run_id, status)
    assert workflow.executions == {}


def test_a_run_continues_the_conversation_of_a_completed_run(start: Start, completed_run: Run) -> None:
    run = start(previous_run_id=completed_run.run_id)

    assert run.previous_run_id == completed_run.run_id
    assert run.previous_upstream_run == completed_run.upstream_run
    assert (run.assistant, run.model, run.run_api) == ("messenger", "its-model", "responses")


def test_a_request_may_continue_with_another_assistant_and_model(start: Start, completed_run: Run) -> None:
    fields = {"assistant": "summarizer", "model": "m2", "run_api": "responses"}
    run = start(previous_run_id=completed_run.run_id, **fields)

    assert (run.assistant, run.model) == ("summarizer", "m2")


@pytest.mark.parametrize("status", ["queued", "in_progress", "failed"])
def test_only_a_completed_run_can_be_continued(
    start: Start, repository: InMemoryRunRepository, status: str
) -> None:
    run = start()
    if status != "queued":
        repository.record_creation(run, UPSTREAM_RUN, "polled")
    if status == "failed":
        repository.record_failure(run, FAILURE, USAGE, START)

    with pytest.raises(InvalidInput, match=f"only a completed run can be continued; this one is {status}"):
        start(previous_run_id=run.run_id)


@pytest.mark.parametrize("caller", ["ann", "bob"])
def test_a_run_that_does_not_exist_or_is_of_another_caller_cannot_be_continued(
    start: Start, completed_run: Run, caller: str
) -> None:
    run_id = completed_run.run_id if caller == "bob" else "run_x"

    with pytest.raises(InvalidInput) as caught:
        start(caller, previous_run_id=run_id)
    assert caught.value.errors == (FieldError("previous_run_id", f"there is no run {run_id!r}"),)


def test_a_conversation_cannot_move_to_another_run_api(start: Start, completed_run: Run) -> None:
    with pytest.raises(InvalidInput) as caught:
        start(previous_run_id=completed_run.run_id, run_api="agents")
    assert caught.value.errors == (FieldError("run_api", "the run that it continues used responses"),)


def test_options_of_the_model_are_recorded(start: Start) -> None:
    run = start(
        instructions="Answer in Latin.",
        temperature=0.5,
        max_output_tokens=100,
        reasoning={"effort": "low"},
    )

    assert (run.instructions, run.temperature, run.max_output_tokens) == ("Answer in Latin.", 0.5, 100)
    assert run.reasoning == Reasoning(effort="low")


def test_a_completion_window_needs_a_longer_time_limit(start: Start) -> None:
    reason = "8h needs limits.seconds above 28800; this run has 28800"

    with pytest.raises(InvalidInput) as caught:
        start(run_api="responses", completion_window="8h", limits={"seconds": 28_800})
    assert caught.value.errors == (FieldError("completion_window", reason),)
    run = start(run_api="responses", completion_window="8h", limits={"seconds": 28_801})
    assert run.completion_window == "8h"


@pytest.mark.parametrize(
    ("window", "seconds"), [(None, 900), ("soonest", 900), ("2h", 43_200), ("8h", 43_200)]
)
def test_a_run_whose_turns_take_hours_has_the_longest_time_limit(
    start: Start, window: str | None, seconds: int
) -> None:
    run = start(run_api="responses", completion_window=window, limits={"rounds": 3})

    assert (run.limits.seconds, run.limits.rounds) == (seconds, 3)


@pytest.mark.parametrize(
    ("has_window", "requested", "window", "seconds"),
    [(True, None, "8h", 43_200), (True, "soonest", "soonest", 900), (False, None, None, 900)],
)
def test_an_assistant_s_completion_window_holds_where_the_run_api_has_one(
    start: Start,
    run_api: FakeRunApi,
    monkeypatch: pytest.MonkeyPatch,
    has_window: bool,
    requested: str | None,
    window: str | None,
    seconds: int,
) -> None:
    patient = find_assistant("summarizer").model_copy(update={"completion_window": "8h"})
    monkeypatch.setattr(start_run_module, "find_assistant", lambda _: patient)
    run_api.has_completion_windows = has_window

    run = start(completion_window=requested)

    assert (run.completion_window, run.limits.seconds) == (window, seconds)


def test_a_conversation_keeps_its_instructions_unless_another_assistant_is_requested(
    start: Start, repository: InMemoryRunRepository
) -> None:
    first = start(instructions="Answer in Latin.", reasoning={"effort": "low"}, temperature=1)
    repository.record_creation(first, UPSTREAM_RUN, "polled")
    repository.complete_run(repository.get_run(first.run_id), Message(text="Ita."), START)

    second = start(previous_run_id=first.run_id)
    other = start(previous_run_id=first.run_id, assistant="messenger")

    assert (second.instructions, second.reasoning) == ("Answer in Latin.", Reasoning(effort="low"))
    assert (second.temperature, other.instructions) == (None, None)


def test_a_run_over_the_quota_is_neither_recorded_nor_started(
    start: Start, repository: InMemoryRunRepository, workflow: InMemoryWorkflow
) -> None:
    first = start(quota=Quota(runs=1))

    with pytest.raises(QuotaExceeded):
        start(quota=Quota(runs=1))

    assert runs_of(repository) == list(workflow.executions) == [first.run_id]


def test_a_request_that_is_repeated_with_its_key_counts_once(start: Start) -> None:
    first = start(idempotency_key="a key", quota=Quota(runs=1))

    assert start(idempotency_key="a key", quota=Quota(runs=1)) == first


@pytest.mark.parametrize(
    ("setting", "allowed"),
    [(QuotaSetting(runs=2), 2), (QuotaSetting(runs=0), 5), (QuotaSetting(tokens=9), 1)],
    ids=["another quota", "none", "for something else"],
)
def test_a_quota_that_was_set_for_a_caller_replaces_the_default(
    start: Start, repository: InMemoryRunRepository, setting: QuotaSetting, allowed: int
) -> None:
    repository.quotas["ann"] = setting
    for _ in range(5):
        try:
            start(quota=Quota(runs=1))
        except QuotaExceeded:
            break

    assert len(runs_of(repository)) == allowed


@pytest.mark.parametrize(("scope", "name"), [("all", ""), ("caller", "ann")])
def test_while_runs_are_stopped_none_is_recorded_and_none_started(
    start: Start, repository: InMemoryRunRepository, workflow: InMemoryWorkflow, scope: Any, name: str
) -> None:
    repository.stops.append(Stop(scope=scope, name=name, since=START))

    with pytest.raises(Stopped, match="an operator has stopped") as raised:
        start()

    assert raised.value.retry_after == 60
    assert (runs_of(repository), workflow.executions) == ([], {})


def test_while_a_batch_is_stopped_none_of_its_lines_starts(
    start: Start, repository: InMemoryRunRepository, workflow: InMemoryWorkflow
) -> None:
    batch = new_batch()
    repository.stops.append(Stop(scope="batch", name=batch.batch_id, since=START))

    with pytest.raises(Stopped, match="an operator has stopped the runs of this batch"):
        start(batch_line=(batch, 1))

    assert (runs_of(repository), workflow.executions) == ([], {})
    assert start(batch_line=(new_batch(batch_id="batch_2"), 1)).batch_line == 1


def test_runs_of_others_start_while_those_of_one_caller_are_stopped(
    start: Start, repository: InMemoryRunRepository
) -> None:
    repository.stops.append(Stop(scope="caller", name="bob", since=START))

    assert start().status == "queued"


def test_a_limit_in_dollars_on_a_model_without_a_known_price_is_refused(
    start: Start, repository: InMemoryRunRepository
) -> None:
    with pytest.raises(InvalidInput) as error:
        start(model="my-model", limits={"usd": 0.5})

    reason = "no price is known for the model 'my-model'; ModelPrices may have one"
    assert error.value.errors == (FieldError("limits.usd", reason),)
    assert runs_of(repository) == []


def test_a_limit_in_dollars_on_a_model_with_a_price_is_kept(start: Start) -> None:
    assert start(model="gpt-5.4-mini", limits={"usd": 0.5}).limits.usd == 0.5


@pytest.mark.parametrize("usd", [0, -1, 10_001, "NaN", "Infinity"])
def test_a_limit_in_dollars_is_a_positive_number_within_its_maximum(start: Start, usd: object) -> None:
    with pytest.raises(ValidationError, match=r"limits\.usd"):
        start(model="gpt-5.4-mini", limits={"usd": usd})
