"""The local Lambda runtime: environments, error documents, timeouts."""

import json
import os
import time

import pytest

from local.lambda_runtime import Function, FunctionRunner, function_environment


def runner(handler: str, timeout_seconds: float = 5, **environment: str) -> FunctionRunner:
    function = Function("f", f"support.sample_handlers.{handler}", timeout_seconds, 256, environment)
    return FunctionRunner({"f": function})


def test_a_result_passes_through_json() -> None:
    result = runner("echo").invoke("f", '{"a": [1, "ä"]}')

    assert (json.loads(result.payload), result.is_error) == ({"a": [1, "ä"]}, False)


def test_a_function_sees_its_environment_and_none_of_the_users_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "the user's")
    monkeypatch.setenv("AWS_PROFILE", "the user's")
    result = runner("environment", COLOUR="red").invoke(
        "f", '["COLOUR", "OPENAI_API_KEY", "AWS_PROFILE", "PATH"]'
    )

    assert json.loads(result.payload) == ["red", None, None, os.environ["PATH"]]
    assert os.environ["OPENAI_API_KEY"] == "the user's"


def test_a_function_that_another_one_invokes_sees_its_own_environment() -> None:
    with function_environment({"COLOUR": "red"}):
        inner = runner("environment", COLOUR="blue").invoke("f", '["COLOUR"]')
        assert (os.environ["COLOUR"], json.loads(inner.payload)) == ("red", ["blue"])
    assert "COLOUR" not in os.environ


def test_an_exception_becomes_the_error_document_of_lambda() -> None:
    result = runner("fail").invoke("f", "{}")
    document = json.loads(result.payload)

    assert result.is_error
    assert (document["errorType"], document["errorMessage"]) == ("LookupError", "not here")
    assert any("not here" in line for line in document["stackTrace"])


def test_a_handler_that_cannot_be_imported_is_an_error() -> None:
    function = Function("f", "support.no_such_module.handler", 5, 256, {})
    result = FunctionRunner({"f": function}).invoke("f", "{}")

    assert result.is_error
    assert json.loads(result.payload)["errorType"] == "Runtime.ImportModuleError"


def test_a_function_that_exceeds_its_timeout_is_abandoned() -> None:
    start = time.monotonic()
    result = runner("sleep", timeout_seconds=0.2).invoke("f", "2")

    assert time.monotonic() - start < 1.5
    assert json.loads(result.payload)["errorType"] == "Sandbox.Timedout"


def test_a_result_that_json_cannot_hold_is_an_error() -> None:
    assert runner("object_").invoke("f", "{}").is_error
