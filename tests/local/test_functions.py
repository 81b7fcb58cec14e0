"""Lambda on a laptop: environments of their own, error documents, time-outs."""

import json
import os
import time

import pytest

from local.lambda_runtime import Function, FunctionRunner, function_environment


def runner(handler: str, timeout_seconds: float = 5, **environment: str) -> FunctionRunner:
    function = Function("f", f"support.handlers.{handler}", timeout_seconds, 256, environment)
    return FunctionRunner({"f": function})


def test_a_result_passes_through_json() -> None:
    result = runner("echo").invoke("f", '{"a": [1, "ä"]}')

    assert (json.loads(result.payload), result.is_error) == ({"a": [1, "ä"]}, False)


def test_a_function_sees_its_own_environment_and_none_of_the_users_keys(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "the user's")
    monkeypatch.setenv("AWS_PROFILE", "the user's")
    result = runner("environment", COLOUR="red").invoke(
        "f", '["COLOUR", "OPENAI_API_KEY", "AWS_PROFILE", "PATH"]'
    )

    assert json.loads(result.payload) == ["red", None, None, os.environ["PATH"]]
    assert os.environ["OPENAI_API_KEY"] == "the user's"


def test_functions_at_the_same_time_see_each_their_own() -> None:
    with function_environment({"COLOUR": "red"}):
        inner = runner("environment", COLOUR="blue").invoke("f", '["COLOUR"]')
        assert (os.environ["COLOUR"], json.loads(inner.payload)) == ("red", ["blue"])
    assert "COLOUR" not in os.environ


def test_an_exception_becomes_the_document_that_lambda_makes_of_it() -> None:
    result = runner("fail").invoke("f", "{}")
    document = json.loads(result.payload)

    assert result.is_error
    assert (document["errorType"], document["errorMessage"]) == ("LookupError", "not here")
    assert any("not here" in line for line in document["stackTrace"])


def test_a_function_that_takes_too_long_is_given_up() -> None:
    start = time.monotonic()
    result = runner("sleep", timeout_seconds=0.2).invoke("f", "2")

    assert time.monotonic() - start < 1.5
    assert json.loads(result.payload)["errorType"] == "Sandbox.Timedout"


def test_a_result_that_is_no_json_is_an_error() -> None:
    assert runner("object_").invoke("f", "{}").is_error
