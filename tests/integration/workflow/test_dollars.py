"""What the model of a run costs, in its record and as a limit."""

from collections.abc import Iterator

import pytest
from support.fast_stack import pushed_runs
from support.runs import Runs

from cli import cost
from cli.execution_history import parse_history
from local.openai_emulator import Call, CallTools, Say
from local.stack import LocalStack
from upcall import config
from upcall.aws.run_repository import DynamoDBRunRepository
from upcall.domain.prices import Price, PriceList

APIS = ["responses", "assistants", "agents"]
PRICE = Price(input=2, cached_input=0.2, output=10)
LONG_PROMPT = "Summarise this. " + "All is well that ends well. " * 300


@pytest.fixture
def priced_model(local_stack: LocalStack, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A model with a price of the operator's, which calls a tool twice before it ends."""
    fetch = CallTools((Call.of("fetch", url=f"{local_stack.endpoints.pages}/tides"),))
    model = local_stack.emulator.script(fetch, fetch, Say("Done."))
    with monkeypatch.context() as patch:
        patch.setattr(config, "price_list", lambda: PriceList({model: PRICE}))
        yield model


@pytest.mark.parametrize("pushed", [False, True], ids=["polled", "pushed"])
@pytest.mark.parametrize("api", APIS)
def test_the_record_has_the_dollars_of_all_turns(
    runs: Runs, local_stack: LocalStack, priced_model: str, api: str, pushed: bool
) -> None:
    if pushed:
        with pushed_runs(local_stack):
            run = runs.run(LONG_PROMPT, model=priced_model, run_api=api).run
    else:
        run = runs.run(LONG_PROMPT, model=priced_model, run_api=api).run

    usage = run["usage"]
    assert run["status"] == "completed"
    assert usage["cached_tokens"] >= 2 * 1024, "the second and the third turn have read the prompt before"
    uncached = usage["input_tokens"] - usage["cached_tokens"]
    dollars = uncached * 2 + usage["cached_tokens"] * 0.2 + usage["output_tokens"] * 10
    assert usage["usd"] == pytest.approx(dollars / 1_000_000, abs=1e-8)


@pytest.mark.parametrize("pushed", [False, True], ids=["polled", "pushed"])
def test_no_tool_is_called_after_the_dollars_are_used_up(
    runs: Runs, local_stack: LocalStack, priced_model: str, pushed: bool
) -> None:
    """The first turn costs less than the limit, the first two more."""
    fields = {"model": priced_model, "limits": {"usd": 0.006}}
    if pushed:
        with pushed_runs(local_stack):
            run = runs.run(LONG_PROMPT, **fields).run
    else:
        run = runs.run(LONG_PROMPT, **fields).run

    spent = run["usage"]["usd"]
    assert (run["status"], run["failure"]["code"], run["tool_calls"]) == ("failed", "limit_usd", 1)
    assert spent >= 0.006
    assert run["failure"]["message"] == (
        f"The model asked for tools again after {spent:.6f} $; 0.006000 $ are allowed."
    )


def test_a_run_whose_model_has_no_known_price_says_so(runs: Runs, local_stack: LocalStack) -> None:
    run = runs.run("Go.", model=local_stack.emulator.script(Say("Done."))).run

    assert run["status"] == "completed"
    assert run["usage"]["total_tokens"] > 0
    assert run["usage"].get("usd") is None


def test_a_limit_in_dollars_on_it_is_refused(runs: Runs, local_stack: LocalStack) -> None:
    model = local_stack.emulator.script(Say("Never."))

    response = runs.post({"prompt": "Go.", "model": model, "limits": {"usd": 1}})

    assert response.status_code == 400
    assert response.json()["errors"] == [
        {
            "field": "limits.usd",
            "reason": f"no price is known for the model {model!r}; ModelPrices may have one",
        }
    ]


@pytest.mark.parametrize("rounds", [0, 1, 3])
def test_the_share_of_aws_is_near_the_estimate_from_the_history_of_the_execution(
    runs: Runs, local_stack: LocalStack, repository: DynamoDBRunRepository, rounds: int
) -> None:
    fetch = CallTools((Call.of("fetch", url=f"{local_stack.endpoints.pages}/tides"),) * 2)
    run = runs.run_script(*[fetch] * rounds, Say("Done.")).run

    progress = parse_history(runs.history(run["run_id"]))
    ledger, record = repository.get_ledger(run["run_id"]), repository.get_run(run["run_id"])
    functions = local_stack.runner.functions
    memory = {name: function.memory_mb for name, function in functions.items()}
    exact = cost.estimate_dollars(progress, memory, record, ledger, "Done.")

    assert run["aws_usd"] == pytest.approx(exact, rel=0.2)
    if rounds:
        assert run["tool_ms"] == sum(entry.output.duration_ms for entry in ledger) > 0
