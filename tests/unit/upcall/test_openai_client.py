"""The SDK against a real server: what goes out, and what the answers are taken for."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from support.canned_server import Server, canned, json_answer
from werkzeug.wrappers import Response

from local.lambda_runtime import function_environment
from local.stack import LocalStack
from upcall.domain.errors import RequestRejected, TransientError
from upcall.run_apis import client


@contextmanager
def server(laptop: LocalStack, *answers: Response) -> Iterator[Server]:
    """A canned server that the client of `Poll run` talks to."""
    environment = laptop.stack.functions["PollRunFunction"].environment
    with canned(*answers) as up, function_environment({**environment, "OPENAI_BASE_URL": f"{up.url}/v1"}):
        yield up


def test_a_request_bears_the_key_of_the_secret_and_the_json(laptop: LocalStack) -> None:
    with server(laptop, json_answer({"id": "resp_1"})) as up:
        answer = client.post("/responses", {"model": "m"})

    (asked,) = up.asked
    assert (asked.method, asked.path) == ("POST", "/v1/responses")
    assert asked.headers["Authorization"] == "Bearer none"
    assert asked.json == {"model": "m"}
    assert answer.body == {"id": "resp_1"}


def test_the_servers_wish_for_the_next_poll_is_handed_on(laptop: LocalStack) -> None:
    with server(laptop, json_answer({}, openai_poll_after_ms="1500")):
        assert client.get("/x").poll_after_seconds == 1.5


@pytest.mark.parametrize("nonsense", ["soon", "-1", "nan", "inf", ""])
def test_a_wish_that_is_no_number_is_none(laptop: LocalStack, nonsense: str) -> None:
    with server(laptop, json_answer({}, openai_poll_after_ms=nonsense)):
        assert client.get("/x").poll_after_seconds is None


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 529])
def test_weather_is_worth_another_try_but_not_here(laptop: LocalStack, status: int) -> None:
    body = {"error": {"message": "You said: please.", "code": "too_busy"}}
    with server(laptop, json_answer(body, status, Retry_After="7")) as up:
        with pytest.raises(TransientError, match=f"^{status}: too_busy$") as caught:
            client.get("/x")

    assert caught.value.retry_after == 7
    assert len(up.asked) == 1, "retries belong to the workflow"


@pytest.mark.parametrize("body", ["You said: please.", '{"error": {"code": "You said: please."}}'])
def test_weather_is_told_in_no_words_of_the_servers(laptop: LocalStack, body: str) -> None:
    """It is raised, and what is raised is in Lambda's log."""
    with (
        server(laptop, Response(body, 503)),
        pytest.raises(TransientError, match="^503: Service Unavailable$"),
    ):
        client.get("/x")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 413, 422])
def test_a_refusal_is_not_worth_another_try(laptop: LocalStack, status: int) -> None:
    body = {"error": {"message": "No.", "code": "because"}}
    with server(laptop, json_answer(body, status)), pytest.raises(RequestRejected) as caught:
        client.get("/x")

    assert (caught.value.code, caught.value.message) == ("because", f"{status}: No.")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (json_answer({"detail": "Nothing here."}, 404), "404: Nothing here."),
        (json_answer({"detail": [{"loc": "body"}]}, 422), "422: [{'loc': 'body'}]"),
        (json_answer({"error": "a plain string"}, 400), "400: a plain string"),
        (json_answer({"message": "no error object"}, 400), "400: no error object"),
        (Response("Not Found", 404, content_type="text/plain"), "404: Not Found"),
    ],
)
def test_other_servers_word_their_errors_otherwise(laptop: LocalStack, answer: Response, words: str) -> None:
    with server(laptop, answer), pytest.raises(RequestRejected) as caught:
        client.get("/x")

    assert caught.value.message == words


@pytest.mark.parametrize("body", ["<html>hello</html>", "[]", '"text"', "", "null"])
def test_an_answer_that_is_no_json_object_is_refused(laptop: LocalStack, body: str) -> None:
    with server(laptop, Response(body, 200, content_type="text/html")):
        with pytest.raises(RequestRejected, match="not with a JSON object"):
            client.get("/x")


def test_a_server_that_is_not_there_is_worth_another_try(laptop: LocalStack) -> None:
    environment = laptop.stack.functions["PollRunFunction"].environment
    with function_environment({**environment, "OPENAI_BASE_URL": "http://127.0.0.1:1/v1"}):
        with pytest.raises(TransientError, match="GET /x"):
            client.get("/x")
