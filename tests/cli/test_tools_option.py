"""`upcall run --tools`: functions of a file as tools, on this machine."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.waiting import wait_until

from local.openai_emulator import Call, CallTools, Fail, Say
from local.stack import LocalStack
from upcall.client import GivenOutput, UpcallClient

from .conftest import Upcall, one_line_error

STOCK = '''
from upcall.domain.errors import ToolError

def stock(article: str) -> int:
    """How many pieces of an article are in stock."""
    print("looking for", article)
    if article == "sofa":
        raise ToolError("there is no sofa")
    return {"lamp": 3}[article]
'''


@pytest.fixture
def tools(tmp_path: Path) -> str:
    """A file with a function."""
    file = tmp_path / "my_tools.py"
    file.write_text(STOCK, "utf-8")
    return str(file)


def calls_of(*articles: str) -> CallTools:
    return CallTools(tuple(Call.of("stock", article=article) for article in articles))


def test_the_model_calls_the_functions_of_a_file(
    upcall_on_running_stack: Upcall, local_stack: LocalStack, tools: str
) -> None:
    models = local_stack.emulator.models
    model = models.script(calls_of("lamp", "sofa", "bed"), Say("Three lamps."))
    run = upcall_on_running_stack("run", "How many?", "--model", model, "--tools", tools)

    assert (run.returncode, run.stdout) == (0, "Three lamps.\n"), run.stderr
    (round_,) = models.conversations[model][-1].rounds
    assert [exchange.output for exchange in round_] == [
        "3",
        '{"error": "there is no sofa"}',
        '{"error": "stock failed for a reason of its own"}',
    ]
    assert "· stock lamp runs on this machine" in run.stderr
    assert "looking for lamp" in run.stderr
    assert f"· stock raised KeyError: 'bed' ({tools}:9)" in run.stderr
    assert re.search(r"✓ +\d\.\d s    stock lamp  0\.0 KB", run.stderr)
    assert re.search(r"✗ +\d\.\d s    stock sofa  there is no sofa", run.stderr)
    assert "Wait for answer" not in run.stderr
    assert "completed · 1 round · 3 calls" in run.stderr


def test_what_functions_print_is_no_result(
    upcall_on_running_stack: Upcall, local_stack: LocalStack, tools: str
) -> None:
    model = local_stack.emulator.script(calls_of("lamp"), Say("Three lamps."))
    run = upcall_on_running_stack("run", "How many?", "--model", model, "--tools", tools, "--json")

    outcome = json.loads(run.stdout)
    assert (outcome["message"], outcome["ledger"][0]["output"]["output"]) == ("Three lamps.", "3")


def test_a_run_on_a_deployed_stack_calls_functions_of_this_machine(
    upcall: Upcall, local_stack: LocalStack, tools: str
) -> None:
    model = local_stack.emulator.script(calls_of("lamp", "bed"), Say("Three lamps."))
    stack = {"UPCALL_STACK": local_stack.endpoints.api, "UPCALL_TOKEN": "x"}
    run = upcall("run", "How many?", "--model", model, "--tools", tools, **stack)

    assert (run.returncode, run.stdout) == (0, "Three lamps.\n"), run.stderr
    assert f"· stock raised KeyError: 'bed' ({tools}:9)" in run.stderr
    assert re.search(r"✓ +\d\.\d s    stock lamp  0\.0 KB", run.stderr)


def test_a_command_alone_runs_functions_too(upcall: Upcall, local_stack: LocalStack, tools: str) -> None:
    """On a local stack of its own, in the same process."""
    model = local_stack.emulator.script(calls_of("lamp"), Say("Three lamps."))
    server = {"OPENAI_BASE_URL": local_stack.emulator.base_url}
    run = upcall("run", "How many?", "--model", model, "--tools", tools, **server)

    assert (run.returncode, run.stdout) == (0, "Three lamps.\n"), run.stderr


def test_a_retried_run_gets_its_functions_again(
    upcall_on_running_stack: Upcall, local_stack: LocalStack, tools: str
) -> None:
    model = local_stack.emulator.script(Fail("invalid_prompt", "The model is on fire."))
    failed = upcall_on_running_stack("run", "Go.", "--model", model, "--tools", tools, "--json")
    run_id = json.loads(failed.stdout)["run_id"]
    local_stack.emulator.models.replace_steps(model, calls_of("lamp"), Say("Three lamps."))
    retried = upcall_on_running_stack("retry", run_id, "--tools", tools)

    assert (retried.returncode, retried.stdout) == (0, "Three lamps.\n"), retried.stderr


def test_an_output_that_nobody_gives_is_waited_for_visibly(
    upcall_on_running_stack: Upcall, local_stack: LocalStack, tools: str
) -> None:
    model = local_stack.emulator.script(Fail("invalid_prompt", "The model is on fire."))
    failed = upcall_on_running_stack("run", "Go.", "--model", model, "--tools", tools, "--json")
    run_id = json.loads(failed.stdout)["run_id"]
    local_stack.emulator.models.replace_steps(model, calls_of("lamp"), Say("Three lamps."))
    with UpcallClient(local_stack.endpoints.api) as client, ThreadPoolExecutor(1) as pool:
        retrying = pool.submit(upcall_on_running_stack, "retry", run_id)
        (call,) = wait_until(lambda: client.get_run(run_id).open_calls, "the call", 60)
        shown = upcall_on_running_stack("show", run_id).stdout
        client.give_outputs(run_id, [GivenOutput(call_id=call.call_id, output="3")])
        retried = retrying.result()

    assert "\ncall 1-1  · stock lamp  waits for an output of the caller until 20" in shown
    assert (retried.returncode, retried.stdout) == (0, "Three lamps.\n"), retried.stderr
    assert re.search(
        rf"· stock waits for its output until [\d: -]+, which this command does not give: POST /runs/{run_id}/tool_out",
        retried.stderr,
    )


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (None, "upcall: {file} is not a file"),
        ("", "upcall: {file} has no public function"),
        ("def f(:\n", "upcall: {file}:1: invalid syntax"),
        ("def f(x: int) -> int:\n    return x\n",
         "upcall: {file}: f has no docstring; the model needs it as the description"),
        ("def f(x) -> int:\n    'D.'\n    return x\n", "upcall: {file}: f: parameter x has no type"),
    ],
)  # fmt: skip
def test_a_file_with_an_error_is_a_one_line_error(
    upcall: Upcall, tmp_path: Path, text: str | None, error: str
) -> None:
    file = tmp_path / "my_tools.py"
    if text is not None:
        file.write_text(text, "utf-8")

    assert one_line_error(upcall("run", "Go.", "--tools", str(file))) == error.format(file=file)


def test_a_function_with_the_name_of_a_tool_of_the_assistant_is_a_one_line_error(
    upcall_on_running_stack: Upcall, tmp_path: Path
) -> None:
    file = tmp_path / "my_tools.py"
    file.write_text("def fetch(url: str) -> str:\n    'Fetch.'\n    return url\n", "utf-8")

    assert "the assistant has a tool 'fetch' already" in one_line_error(
        upcall_on_running_stack("run", "Go.", "--tools", str(file))
    )
