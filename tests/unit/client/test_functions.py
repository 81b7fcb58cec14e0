"""Python functions as the tools of a run's caller."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field
from support.open_calls import open_call

from upcall.client import CallerFunctions, FunctionResult, GivenOutput, OpenCallView
from upcall.client.functions import forget_run
from upcall.domain.errors import OutcomeUnknown, ToolError
from upcall.domain.json_size import json_bytes
from upcall.domain.open_calls import OpenCall
from upcall.domain.tool_calls import ToolCall
from upcall.tool import current_call, tool


class Article(BaseModel):
    name: str
    pieces: int


def stock(article: Annotated[str, Field(description="Its name.")], minimum: int = 0) -> Article:
    """How many pieces of an article are in stock."""
    if article == "sofa":
        raise ToolError("there is no sofa")
    if article == "bed":
        raise LookupError("database password is hunter2")
    if article == "table":
        raise OutcomeUnknown("the warehouse did not answer")
    if article == "chair":
        raise KeyboardInterrupt
    return Article(name=article, pieces=minimum + 3)


def output_call(arguments: str = "{}", name: str = "stock", max_output_bytes: int = 1000) -> OpenCall:
    call = ToolCall(call_id="call_1", name=name, arguments=arguments)
    return open_call(round=2, position=3, call=call, waits_for="output", max_output_bytes=max_output_bytes)


def view(arguments: str = "{}", name: str = "stock", max_output_bytes: int = 1000) -> OpenCallView:
    return OpenCallView.of(output_call(arguments, name, max_output_bytes))


def answer(function: Any, arguments: str, **fields: Any) -> FunctionResult:
    """The result of a call of a new run."""
    call = view(arguments, function.__name__, **fields)
    return CallerFunctions([function]).answer(f"run_{uuid.uuid4().hex}", call)


def test_a_function_is_described_as_a_tool_of_a_stack_is() -> None:
    (definition,) = CallerFunctions([stock]).definitions

    assert definition.definition == tool(stock).definition
    assert definition.parameters["required"] == ["article", "minimum"]
    assert CallerFunctions([tool(stock)]).definitions == [definition]


def test_a_result_is_an_output_under_the_id_in_the_run() -> None:
    result = answer(stock, '{"article": "lamp", "minimum": null}')

    assert result.output == GivenOutput(call_id="2-3", output='{"name":"lamp","pieces":3}')
    assert result.exception is None


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ('{"article": "sofa"}', "there is no sofa"),
        ('{"article": "bed"}', "stock failed for a reason of its own"),
        (
            '{"article": 7}',
            "invalid arguments: article: Input should be a valid string (the parameters are article",
        ),
        ("{", "invalid arguments: body: Invalid JSON"),
        (
            '{"article": "table"}',
            "outcome unknown: the warehouse did not answer. It may have taken effect, and it will not be repeated.",
        ),
        ('{"article": "chair"}', "outcome unknown: it was interrupted."),
    ],
)
def test_whatever_goes_wrong_is_an_error_for_the_model(arguments: str, error: str) -> None:
    output = answer(stock, arguments).output

    assert output.output is None
    assert (output.error or "").startswith(error)


def test_the_exception_is_for_the_program_and_not_for_the_model() -> None:
    assert isinstance(answer(stock, '{"article": "bed"}').exception, LookupError)
    assert isinstance(answer(stock, '{"article": "chair"}').exception, KeyboardInterrupt)
    assert answer(stock, '{"article": "sofa"}').exception is None


def test_an_output_and_an_error_fit_into_the_maximum() -> None:
    def shout(text: str) -> str:
        """Shout."""
        if text == "!":
            raise ToolError("ö" * 1000)
        return text * 1000

    output = answer(shout, '{"text": "ä"}', max_output_bytes=300).output
    assert output.for_call(output_call(max_output_bytes=300)).output.startswith("ää")
    error = answer(shout, '{"text": "!"}', max_output_bytes=300).output
    assert 200 < json_bytes(error.for_call(output_call(max_output_bytes=300)).output) <= 300


def test_a_function_knows_the_ids_of_its_call() -> None:
    def ids() -> str:
        """Tell the ids."""
        call = current_call()
        return f"{call.round}-{call.position} {call.call_id}" if call else "none"

    assert answer(ids, "{}").output.output == "2-3 call_1"
    assert current_call() is None


def test_a_function_runs_once_for_a_call_however_often_and_by_whom_it_is_answered() -> None:
    calls: list[int] = []
    both = threading.Barrier(2)

    def pay(amount: int) -> int:
        """Pay."""
        calls.append(amount)
        return len(calls)

    def answer_after_the_other() -> FunctionResult:
        both.wait(10)
        return CallerFunctions([pay]).answer(run_id, call)

    run_id, call = f"run_{uuid.uuid4().hex}", view('{"amount": 3}', "pay")
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: answer_after_the_other(), range(2))
    assert first == second == CallerFunctions([pay]).answer(run_id, call)
    assert calls == [3]

    CallerFunctions([pay]).answer(run_id, view('{"amount": 4}', "pay"))
    CallerFunctions([pay]).answer("run_other", call)
    assert calls == [3, 4, 3]
    forget_run(run_id)
    forget_run("run_other")


def test_only_calls_that_wait_for_an_output_of_a_function_can_be_answered() -> None:
    functions = CallerFunctions([stock])
    call = view()

    assert functions.can_answer(call)
    assert not functions.can_answer(call.model_copy(update={"waits_for": "approval"}))
    assert not functions.can_answer(call.model_copy(update={"name": "nothing"}))


def undocumented(article: str) -> int:
    return len(article)


async def asynchronous(article: str) -> int:
    """Wait."""
    return len(article)


def with_lock(lock: threading.Event) -> None:
    """Take what no model can give."""


def größe(article: str) -> int:
    """Have a name that OpenAI does not allow."""
    return len(article)


@pytest.mark.parametrize(
    ("functions", "reason"),
    [
        ([undocumented], "undocumented has no docstring"),
        ([asynchronous], "asynchronous is asynchronous; a tool must be a plain function"),
        ([with_lock], "with_lock: Unable to generate"),
        ([größe], "größe: name: "),
        ([stock, stock], "there are two functions stock"),
        ([tool(stock, approval="required")], "stock needs an approval, which only tools of a stack can have"),
        ([threading.Event()], "is no function"),
    ],
)
def test_what_cannot_be_a_tool_is_a_type_error(functions: list[Any], reason: str) -> None:
    with pytest.raises(TypeError, match=reason):
        CallerFunctions(functions)
