"""Whatever is wrong with a tool call, the run goes on, and the model reads the reason."""

import pytest
from support.runs import EndedRun, Runs

from local.openai_emulator import Call, CallTools, Say
from local.stack import LocalStack


def run_with_calls(runs: Runs, *calls: Call) -> EndedRun:
    """A run that makes these calls in one round. It completes."""
    ended = runs.run_script(CallTools(calls), Say("I see."))
    assert ended.run["status"] == "completed"
    assert ended.run["message"] == "I see."
    return ended


def test_a_page_that_does_not_exist(runs: Runs, local_stack: LocalStack) -> None:
    url = f"{local_stack.endpoints.pages}/nowhere"
    (output,) = run_with_calls(runs, Call.of("fetch", url=url)).outputs

    assert output["error"] == "the server returned 404 NOT FOUND"


def test_a_host_that_does_not_exist(runs: Runs) -> None:
    (output,) = run_with_calls(runs, Call.of("fetch", url="http://no-such-host.invalid/")).outputs

    assert output["error"] == "the host no-such-host.invalid cannot be found"


def test_an_address_that_is_not_public(runs: Runs) -> None:
    (output,) = run_with_calls(runs, Call.of("fetch", url="http://169.254.169.254/latest/meta-data/")).outputs

    assert output["error"] == "169.254.169.254 is not a public address"


@pytest.mark.parametrize("arguments", ["{not json", "[]", "null", '"url"'])
def test_arguments_that_are_not_a_json_object(runs: Runs, arguments: str) -> None:
    (output,) = run_with_calls(runs, Call("fetch", arguments)).outputs

    assert output["error"].startswith("invalid arguments: ")


def test_arguments_that_do_not_fit_the_schema(runs: Runs) -> None:
    """The reason names every field."""
    (output,) = run_with_calls(runs, Call.of("fetch", uri="https://example.com", offset=-1)).outputs

    assert "url: Field required" in output["error"]
    assert "offset: Input should be greater than or equal to 0" in output["error"]
    assert "uri: Extra inputs are not permitted" in output["error"]


@pytest.mark.parametrize("name", ["delete_everything", "fetch ", "../fetch", "", "fetch'&'", "ä😀"])
def test_a_tool_that_does_not_exist_is_never_invoked(runs: Runs, name: str) -> None:
    (output,) = run_with_calls(runs, Call(name, "{}")).outputs

    assert output == {"error": f"There is no tool {name}. There is: fetch, read_object."}


def test_a_function_of_the_stack_that_is_not_a_tool_of_the_assistant(runs: Runs) -> None:
    """The name is the suffix of a function that exists. Only the assistant's list decides."""
    (output,) = run_with_calls(runs, Call("../CreateRunFunction", "{}")).outputs

    assert "There is no tool" in output["error"]


def test_valid_and_invalid_calls_of_one_round_are_answered_in_their_order(
    runs: Runs, local_stack: LocalStack
) -> None:
    ended = run_with_calls(
        runs,
        Call("fetch", "{"),
        Call.of("fetch", url=f"{local_stack.endpoints.pages}/tides"),
        Call("nothing", "{}"),
    )

    invalid, page, unknown = ended.outputs
    assert "invalid arguments" in invalid["error"]
    assert page["title"] == "Why the tide comes twice a day"
    assert "There is no tool nothing" in unknown["error"]
