"""Requests that the client sends, and how it parses responses and errors."""

import httpx2
import pytest

from upcall.domain.errors import RequestRejected, TransientError
from upcall.run_apis import client
from upcall.run_apis.client import MAX_RETRY_AFTER_SECONDS

from .conftest import API_KEY, CannedResponse, RespondWith, json_response, text_response


def test_a_request_carries_the_api_key_and_the_json(respond_with: RespondWith) -> None:
    requests = respond_with(json_response({"id": "resp_1"}))
    response = client.post("/responses", {"model": "m"}, headers={"OpenAI-Beta": "x"})

    (request,) = requests
    assert (request.method, request.path) == ("POST", "/v1/responses")
    assert request.headers["Authorization"] == f"Bearer {API_KEY}"
    assert request.headers["OpenAI-Beta"] == "x"
    assert request.json == {"model": "m"}
    assert response.body == {"id": "resp_1"}


def test_parameters_of_a_get_are_in_the_query(respond_with: RespondWith) -> None:
    requests = respond_with(json_response({}))
    client.get("/threads", order="desc", limit=1)

    assert (requests[0].method, requests[0].path) == ("GET", "/v1/threads?order=desc&limit=1")


def test_the_servers_poll_interval_is_returned_in_seconds(respond_with: RespondWith) -> None:
    respond_with(json_response({}, openai_poll_after_ms="1500"))

    assert client.get("/x").poll_after_seconds == 1.5


@pytest.mark.parametrize("header", ["soon", "-1", "nan", "inf", ""])
def test_a_poll_interval_that_is_not_a_number_of_milliseconds_is_ignored(
    respond_with: RespondWith, header: str
) -> None:
    respond_with(json_response({}, openai_poll_after_ms=header))

    assert client.get("/x").poll_after_seconds is None


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 529])
def test_a_retryable_status_raises_transient_error_without_a_retry(
    respond_with: RespondWith, status: int
) -> None:
    body = {"error": {"message": "You said: please.", "code": "too_busy"}}
    requests = respond_with(json_response(body, status, Retry_After="7"))

    with pytest.raises(TransientError, match=f"^{status}: too_busy$") as caught:
        client.get("/x")

    assert caught.value.retry_after == 7
    assert len(requests) == 1, "retries belong to the workflow"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("0", 0), ("0.5", 0.5), ("99999", MAX_RETRY_AFTER_SECONDS), ("Wed, 21 Oct 2026 07:28:00 GMT", None)],
)
def test_retry_after_is_read_as_seconds_and_has_a_maximum(
    respond_with: RespondWith, header: str, seconds: float | None
) -> None:
    respond_with(json_response({}, 429, Retry_After=header))

    with pytest.raises(TransientError) as caught:
        client.get("/x")

    assert caught.value.retry_after == seconds


def test_a_quota_that_is_used_up_is_rejected_because_a_pause_does_not_help(respond_with: RespondWith) -> None:
    respond_with(json_response({"error": {"message": "Pay.", "code": "insufficient_quota"}}, 429))

    with pytest.raises(RequestRejected, match="429: Pay") as caught:
        client.get("/x")

    assert caught.value.code == "insufficient_quota"


@pytest.mark.parametrize("body", ["You said: please.", '{"error": {"code": "You said: please."}}'])
def test_a_transient_error_quotes_nothing_of_the_server(respond_with: RespondWith, body: str) -> None:
    """Lambda logs the messages of exceptions."""
    respond_with(CannedResponse(body, 503))

    with pytest.raises(TransientError, match="^503: Service Unavailable$"):
        client.get("/x")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 413, 422])
def test_other_statuses_raise_request_rejected(respond_with: RespondWith, status: int) -> None:
    respond_with(json_response({"error": {"message": "No.", "code": "because"}}, status))

    with pytest.raises(RequestRejected) as caught:
        client.get("/x")

    assert (caught.value.code, caught.value.message) == ("because", f"{status}: No.")


def test_an_error_without_a_code_has_its_status_as_the_code(respond_with: RespondWith) -> None:
    respond_with(json_response({"error": {"message": "No."}}, 404))

    with pytest.raises(RequestRejected) as caught:
        client.get("/x")

    assert caught.value.code == "http_404"


@pytest.mark.parametrize(
    ("response", "message"),
    [
        (json_response({"detail": "Nothing here."}, 404), "404: Nothing here."),
        (json_response({"detail": [{"loc": "body"}]}, 422), "422: [{'loc': 'body'}]"),
        (json_response({"error": "a plain string"}, 400), "400: a plain string"),
        (json_response({"message": "no error object"}, 400), "400: no error object"),
        (text_response("Not Found", 404), "404: Not Found"),
    ],
)
def test_error_messages_of_compatible_servers_are_found(
    respond_with: RespondWith, response: CannedResponse, message: str
) -> None:
    respond_with(response)

    with pytest.raises(RequestRejected) as caught:
        client.get("/x")

    assert caught.value.message == message


@pytest.mark.parametrize("body", ["<html>hello</html>", "[]", '"text"', "", "null"])
def test_a_response_that_is_not_a_json_object_is_rejected(respond_with: RespondWith, body: str) -> None:
    respond_with(text_response(body, content_type="text/html"))

    with pytest.raises(RequestRejected, match="not with a JSON object") as caught:
        client.get("/x")

    assert caught.value.code == "not_json"


@pytest.mark.parametrize("status", [202, 204])
def test_an_accepted_request_may_have_an_empty_response(respond_with: RespondWith, status: int) -> None:
    respond_with(CannedResponse(status=status))

    assert client.post("/x").body == {}


def test_lone_surrogates_in_a_response_are_replaced(respond_with: RespondWith) -> None:
    respond_with(text_response(r'{"text": "a \ud83d b \ud83d\ude00"}'))

    assert client.get("/x").body == {"text": "a \ufffd b 😀"}


@pytest.mark.parametrize("created", [{}, {"id": None}, {"id": 7}, {"id": ".."}, {"id": "a/b"}, {"id": ""}])
def test_an_id_that_does_not_fit_into_a_path_is_rejected(
    respond_with: RespondWith, created: dict[str, object]
) -> None:
    respond_with(json_response(created))

    with pytest.raises(RequestRejected, match="without an id that fits into a path") as caught:
        _ = client.post("/x").id

    assert caught.value.code == "no_id"


@pytest.mark.parametrize("error", [httpx2.ConnectError("refused"), httpx2.ReadTimeout("timed out")])
def test_a_lost_connection_raises_transient_error(respond_with: RespondWith, error: Exception) -> None:
    requests = respond_with(error)

    with pytest.raises(TransientError, match=rf"^GET /x: no answer \({type(error).__name__}\)$") as caught:
        client.get("/x")

    assert caught.value.retry_after is None
    assert len(requests) == 1, "retries belong to the workflow"
