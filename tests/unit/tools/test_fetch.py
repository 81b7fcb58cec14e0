import json

from support.sample_events import Invoke, sample

from local.lambda_runtime import function_environment
from local.stack import LocalStack
from tools.fetch import fetch, lambda_handler


def test_the_function_reads_a_page(laptop: LocalStack) -> None:
    with function_environment(laptop.stack.functions["FetchFunction"].environment):
        page = fetch(f"{laptop.addresses.pages}/lighthouses")

    assert page.title == "How a lighthouse says its name"
    assert page.next_offset is None


def test_the_lambda_answers_a_call(invoke: Invoke, laptop: LocalStack) -> None:
    arguments = json.dumps({"url": f"{laptop.addresses.pages}/lighthouses", "offset": 100})
    output = invoke("FetchFunction", sample("fetch", arguments=arguments))

    assert (output["call_id"], output["outcome"]) == ("call_1_1", "ok")
    assert json.loads(output["output"])["offset"] == 100


def test_a_long_page_comes_in_pieces(invoke: Invoke, laptop: LocalStack) -> None:
    url = f"{laptop.addresses.pages}/lighthouses"
    first = invoke("FetchFunction", sample("fetch", arguments=json.dumps({"url": url}), max_output_bytes=600))
    page = json.loads(first["output"])

    assert len(json.dumps(first["output"])) <= 600
    assert page["next_offset"] == len(page["text"])


def test_the_sample_event_is_what_the_handler_takes(invoke: Invoke) -> None:
    """example.com cannot be reached in a test; that, too, is an answer for the model."""
    output = invoke("FetchFunction", sample("fetch"))

    assert output["call_id"] == "call_1_1"


def test_the_model_learns_how_to_read_on() -> None:
    assert "next_offset" in lambda_handler.definition.description
    assert lambda_handler.definition.parameters["properties"]["url"]["description"]
