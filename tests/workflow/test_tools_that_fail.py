"""Whatever is wrong with a tool call, the run goes on and the model reads why."""

import pytest
from support.runs import Ended, Runs

from local.openai_emulator import Call, CallTools, Say
from local.stack import LocalStack


def after(runs: Runs, *calls: Call) -> Ended:
    ended = runs.follow(CallTools(calls), Say("I see."))
    assert ended.run["status"] == "completed"
    assert ended.run["message"] == "I see."
    return ended


def test_a_page_that_is_404(runs: Runs, laptop: LocalStack) -> None:
    url = f"{laptop.addresses.pages}/nowhere"
    (output,) = after(runs, Call.of("fetch", url=url)).outputs

    assert output["error"] == "the server answered 404 NOT FOUND"


def test_a_host_that_does_not_exist(runs: Runs) -> None:
    (output,) = after(runs, Call.of("fetch", url="http://no-such-host.invalid/")).outputs

    assert output["error"] == "the host no-such-host.invalid cannot be found"


def test_an_address_that_is_not_public(runs: Runs) -> None:
    (output,) = after(runs, Call.of("fetch", url="http://169.254.169.254/latest/meta-data/")).outputs

    assert output["error"] == "169.254.169.254 is not a public address"


@pytest.mark.parametrize("arguments", ["{not json", "[]", "null", '"url"'])
def test_arguments_that_are_no_json_object(runs: Runs, arguments: str) -> None:
    (output,) = after(runs, Call("fetch", arguments)).outputs

    assert output["error"].startswith("the arguments cannot be taken: ")


def test_arguments_that_miss_the_schema_name_each_field(runs: Runs) -> None:
    (output,) = after(runs, Call.of("fetch", uri="https://example.com", offset=-1)).outputs

    assert "url: Field required" in output["error"]
    assert "offset: Input should be greater than or equal to 0" in output["error"]
    assert "uri: Extra inputs are not permitted" in output["error"]


@pytest.mark.parametrize("name", ["delete_everything", "fetch ", "../fetch", "", "fetch'&'", "ä😀"])
def test_a_tool_that_does_not_exist_is_never_invoked(runs: Runs, name: str) -> None:
    (output,) = after(runs, Call(name, "{}")).outputs

    assert output == {"error": f"There is no tool {name}. There is: fetch, read_object."}


def test_a_tool_of_the_stack_that_the_assistant_does_not_name(runs: Runs) -> None:
    """The suffix of a function that exists: only the assistant's list decides."""
    (output,) = after(runs, Call("../CreateRunFunction", "{}")).outputs

    assert "There is no tool" in output["error"]


def test_good_and_bad_calls_of_one_round_are_all_answered_in_their_order(
    runs: Runs, laptop: LocalStack
) -> None:
    ended = after(
        runs,
        Call("fetch", "{"),
        Call.of("fetch", url=f"{laptop.addresses.pages}/tides"),
        Call("nothing", "{}"),
    )

    broken, page, unknown = ended.outputs
    assert "cannot be taken" in broken["error"]
    assert page["title"] == "Why the tide comes twice a day"
    assert "There is no tool nothing" in unknown["error"]
