"""Requests that the client sends, and how it parses responses and errors."""

import gzip
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

import httpx2
import pytest

from upcall.aws.secrets_manager import clean_secret
from upcall.domain.errors import InvalidSecret, RequestRejected, TransientError
from upcall.run_apis import client
from upcall.run_apis.base import MIN_REQUEST_SECONDS, time_limit
from upcall.run_apis.bounded_client import MAX_RESPONSE_BYTES
from upcall.run_apis.client import MAX_RETRY_AFTER_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

from .conftest import API_KEY, SECRET_NAME, CannedResponse, RespondWith, json_response, text_response


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
    requests = respond_with(json_response({"data": []}))
    client.get("/threads", {"order": "desc", "limit": 1})

    assert (requests[0].method, requests[0].path) == ("GET", "/v1/threads?order=desc&limit=1")


def test_the_servers_poll_interval_is_returned_in_seconds(respond_with: RespondWith) -> None:
    respond_with(json_response({"id": "x"}, openai_poll_after_ms="1500"))

    assert client.get("/x").poll_after_seconds == 1.5


@pytest.mark.parametrize("header", ["soon", "-1", "nan", "inf", ""])
def test_a_poll_interval_that_is_not_a_number_of_milliseconds_is_ignored(
    respond_with: RespondWith, header: str
) -> None:
    respond_with(json_response({"id": "x"}, openai_poll_after_ms=header))

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
    [
        ("0", 0),
        ("0.5", 0.5),
        ("99999", MAX_RETRY_AFTER_SECONDS),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("Fri, 01 Jan 2100 00:00:00 GMT", MAX_RETRY_AFTER_SECONDS),
        ("Fri, 01 Jan 2100 00:00:00 -0000", MAX_RETRY_AFTER_SECONDS),
        ("Fri, 99 Jan 2100 00:00:00 GMT", None),
        ("Fri, 01 Jan 99999999999999999999 00:00:00 GMT", None),
        ("tomorrow", None),
        ("-1", None),
        ("nan", None),
        ("", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_a_date_and_has_a_maximum(
    respond_with: RespondWith, header: str, seconds: float | None
) -> None:
    respond_with(json_response({}, 429, Retry_After=header))

    with pytest.raises(TransientError) as caught:
        client.get("/x")

    assert caught.value.retry_after == seconds


def test_a_date_is_as_many_seconds_away_as_it_says(respond_with: RespondWith) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    respond_with(json_response({}, 503, Retry_After=date))

    with pytest.raises(TransientError) as caught:
        client.get("/x")

    assert caught.value.retry_after == pytest.approx(90, abs=3)


@pytest.mark.parametrize(
    ("milliseconds", "seconds"),
    [("1500", 1.5), ("0", 0), ("99999999", MAX_RETRY_AFTER_SECONDS), ("soon", 7), ("-5", 7), ("inf", 7)],
)
def test_retry_after_in_milliseconds_comes_before_the_one_in_seconds(
    respond_with: RespondWith, milliseconds: str, seconds: float
) -> None:
    respond_with(json_response({}, 429, retry_after_ms=milliseconds, Retry_After="7"))

    with pytest.raises(TransientError) as caught:
        client.get("/x")

    assert caught.value.retry_after == seconds


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ({"message": "Pay.", "code": "insufficient_quota"}, "insufficient_quota"),
        ({"message": "Pay.", "code": None, "type": "insufficient_quota"}, "http_429"),
        ({"message": "Pay.", "type": "insufficient_quota"}, "http_429"),
        ({"message": "Pay.", "code": "billing_hard_limit_reached"}, "billing_hard_limit_reached"),
        ({"message": "Pay.", "code": 7, "type": "billing_hard_limit_reached"}, "7"),
    ],
)
def test_a_quota_that_is_used_up_is_rejected_because_a_pause_does_not_help(
    respond_with: RespondWith, error: dict[str, object], code: str
) -> None:
    respond_with(json_response({"error": error}, 429, Retry_After="1"))

    with pytest.raises(RequestRejected, match="429: Pay") as caught:
        client.get("/x")

    assert caught.value.code == code


def test_a_request_that_is_larger_than_the_limit_of_a_minute_is_rejected(respond_with: RespondWith) -> None:
    message = "Request too large for gpt-5 in organization org-1 on tokens per min (TPM): Limit 30000, Requested 45000."
    error = {"message": message, "type": "tokens", "code": "rate_limit_exceeded"}
    respond_with(json_response({"error": error}, 429))

    with pytest.raises(RequestRejected, match="Requested 45000") as caught:
        client.post("/responses", {})

    assert caught.value.code == "rate_limit_exceeded"


def test_a_rate_limit_is_transient_whatever_its_type(respond_with: RespondWith) -> None:
    error = {"message": "Rate limit reached for gpt-5.", "type": ["tokens"], "code": "rate_limit_exceeded"}
    respond_with(json_response({"error": error}, 429))

    with pytest.raises(TransientError, match="^429: rate_limit_exceeded$"):
        client.post("/responses", {})


@pytest.mark.parametrize("status", [400, 404])
def test_a_previous_response_that_does_not_show_yet_is_transient(
    respond_with: RespondWith, status: int
) -> None:
    message = "Previous response with id 'resp_1' not found."
    error = {"message": message, "type": "invalid_request_error", "code": "previous_response_not_found"}
    respond_with(json_response({"error": error}, status))

    with pytest.raises(TransientError) as caught:
        client.post("/responses", {})

    assert caught.value.detail == f"{status}: {message}"


def test_an_object_that_must_exist_and_does_not_show_yet_is_transient(respond_with: RespondWith) -> None:
    respond_with(json_response({"error": {"message": "Response with id 'resp_1' not found."}}, 404))

    with pytest.raises(TransientError, match="^404: Not Found$") as caught:
        client.get("/responses/resp_1", must_exist=True)
    assert caught.value.detail == "404: Response with id 'resp_1' not found."
    with pytest.raises(RequestRejected):
        client.get("/responses/resp_1")


@pytest.mark.parametrize("status", [400, 401, 403, 410, 422])
def test_other_statuses_of_an_object_that_must_exist_are_rejected(
    respond_with: RespondWith, status: int
) -> None:
    respond_with(json_response({"error": {"message": "No."}}, status))

    with pytest.raises(RequestRejected):
        client.get("/responses/resp_1", must_exist=True)


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("http://169.254.169.254/latest?x=y", r" \(to http://169\.254\.169\.254\)"),
        ("/v1/elsewhere", ""),
        ("http://[", ""),
        ("https://openai.test/v1/x/", r" \(to https://openai\.test\)"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_redirect_is_not_followed_and_its_target_is_named(
    respond_with: RespondWith, status: int, location: str, target: str, method: str
) -> None:
    requests = respond_with(CannedResponse("", status, {"Location": location}), json_response({"id": "x"}))

    with pytest.raises(
        RequestRejected, match=f"^{method} /x: the server answered {status}{target}; redirects are not"
    ) as caught:
        client.get("/x", must_exist=True) if method == "GET" else client.post("/x", {"input": "Go."})

    assert caught.value.code == "redirect"
    assert len(requests) == 1


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "model overloaded", "code": "overloaded"}},
        {"error": "model overloaded"},
        {"detail": "model overloaded"},
        {"error": {"detail": "model overloaded"}, "status": "completed"},
        {"object": "error", "error": {"message": "model overloaded"}, "output": []},
    ],
)
def test_an_error_with_a_success_status_is_transient_and_keeps_its_message(
    respond_with: RespondWith, body: dict[str, object]
) -> None:
    respond_with(json_response(body))

    requests: list[Callable[[str], object]] = [client.get, client.post]
    for request in requests:
        with pytest.raises(TransientError, match="the server answered 200, but with an error$") as caught:
            request("/x")
        assert caught.value.detail.endswith("model overloaded")


def test_an_error_of_an_object_is_not_one_of_the_request(respond_with: RespondWith) -> None:
    body = {"id": "resp_1", "status": "failed", "error": {"code": "server_error", "message": "Sorry."}}
    respond_with(json_response(body))

    assert client.get("/x").body == body


def test_an_empty_object_is_no_answer_to_a_get(respond_with: RespondWith) -> None:
    respond_with(json_response({}))

    with pytest.raises(
        TransientError, match="^GET /v1/x: the server answered 200, but with an empty object$"
    ):
        client.get("/x")


@pytest.mark.parametrize("size", [MAX_RESPONSE_BYTES, MAX_RESPONSE_BYTES + 1])
@pytest.mark.parametrize("compressed", [False, True])
def test_the_bytes_of_a_response_are_bounded_before_and_after_decompression(
    respond_with: RespondWith, size: int, compressed: bool
) -> None:
    body = b'{"id": "' + b"x" * (size - 10) + b'"}'
    headers = {"Content-Encoding": "gzip"} if compressed else {}
    respond_with(CannedResponse(gzip.compress(body, 1) if compressed else body, 200, headers))

    if size <= MAX_RESPONSE_BYTES:
        assert len(str(client.get("/x").body["id"])) == size - 10
        return
    with pytest.raises(RequestRejected, match="a response of more than 8,000,000 bytes") as caught:
        client.get("/x")
    assert caught.value.code == "unreadable_response"


def test_a_response_with_an_error_status_is_bounded_too(respond_with: RespondWith) -> None:
    respond_with(CannedResponse(b"x" * (MAX_RESPONSE_BYTES + 1), 500))

    with pytest.raises(RequestRejected, match="more than 8,000,000 bytes"):
        client.get("/x")


def test_a_gzip_bomb_is_not_expanded(respond_with: RespondWith) -> None:
    bomb = gzip.compress(b"\0" * 200_000_000, 1)
    respond_with(CannedResponse(bomb, 200, {"Content-Encoding": "gzip"}))
    start = time.process_time()

    with pytest.raises(RequestRejected, match="more than 8,000,000 bytes"):
        client.get("/x")

    assert time.process_time() - start < 1


@pytest.mark.parametrize(
    ("encoding", "body", "message"),
    [
        ("br", b"{}", "the encoding br, which was not asked for"),
        ("zstd", b"{}", "the encoding zstd, which was not asked for"),
        ("deflate", b"{}", "the encoding deflate, which was not asked for"),
        ("gzip, gzip", gzip.compress(gzip.compress(b"{}", mtime=0), mtime=0), "the encoding gzip, gzip"),
        ("gzip", b"{}", "not gzip, though it says so"),
    ],
)
def test_an_encoding_that_was_not_asked_for_is_rejected(
    respond_with: RespondWith, encoding: str, body: bytes, message: str
) -> None:
    requests = respond_with(CannedResponse(body, 200, {"Content-Encoding": encoding}))

    with pytest.raises(RequestRejected, match=message):
        client.get("/x")

    assert requests[0].headers["Accept-Encoding"] == "gzip"


@pytest.mark.parametrize("encoding", ["gzip", " GZIP ", "identity", ""])
def test_encodings_that_were_asked_for_are_read(respond_with: RespondWith, encoding: str) -> None:
    body = b'{"id": "x"}'
    compressed = gzip.compress(body) if "gzip" in encoding.lower() else body
    respond_with(CannedResponse(compressed, 200, {"Content-Encoding": encoding}))

    assert client.get("/x").body == {"id": "x"}


def test_a_response_that_comes_byte_by_byte_ends_at_the_time_out(
    respond_with: RespondWith, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "TIMEOUT_SECONDS", 0.3)
    respond_with(CannedResponse("x" * 1000, chunk_bytes=1, chunk_seconds=0.02))
    start = time.monotonic()

    with pytest.raises(TransientError, match=r"^GET /x: no answer \(ReadTimeout\)$"):
        client.get("/x")

    assert time.monotonic() - start < 2


def test_a_request_takes_no_longer_than_its_time_limit(respond_with: RespondWith) -> None:
    """Even if nothing is left of it, the request has a moment."""
    respond_with(CannedResponse('{"id": "x"}'), CannedResponse("x" * 1000, chunk_bytes=1, chunk_seconds=0.02))
    with time_limit(-5):
        assert client.get("/x").body == {"id": "x"}
        start = time.monotonic()
        with pytest.raises(TransientError, match="ReadTimeout"):
            client.get("/x")

    assert MIN_REQUEST_SECONDS / 2 < time.monotonic() - start < MIN_REQUEST_SECONDS + 1


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        ("http://openai.test/v1", "/v1/x?limit=1"),
        ("http://openai.test/v1/", "/v1/x?limit=1"),
        ("http://openai.test/v1?api-version=preview", "/v1/x?api-version=preview&limit=1"),
        ("http://openai.test/v1/?a=1&b=%C3%A4#part", "/v1/x?a=1&b=%C3%A4&limit=1"),
    ],
)
def test_the_query_of_the_base_url_goes_with_every_request(
    respond_with: RespondWith, monkeypatch: pytest.MonkeyPatch, base_url: str, url: str
) -> None:
    requests = respond_with(json_response({"id": "x"}))
    monkeypatch.setenv("OPENAI_BASE_URL", base_url)
    client.get("/x", {"limit": 1})
    client.post("/x", {})

    assert requests[0].path == url
    assert requests[1].path == url.replace("?limit=1", "").replace("&limit=1", "")


@pytest.mark.parametrize(
    "host", ["my.openai.azure.com", "my.cognitiveservices.azure.com", "my.services.ai.azure.com"]
)
def test_azure_gets_the_key_in_its_own_header(
    respond_with: RespondWith, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    requests = respond_with(json_response({"id": "x"}))
    monkeypatch.setenv("OPENAI_BASE_URL", f"https://{host}/openai/v1?api-version=preview")
    client.post("/responses", {})

    assert requests[0].headers["api-key"] == API_KEY
    assert requests[0].path == "/openai/v1/responses?api-version=preview"


@pytest.mark.parametrize("host", ["openai.test", "openai.azure.com.attacker.test", "notopenai.azure.com"])
def test_no_other_server_gets_azures_header(
    respond_with: RespondWith, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    requests = respond_with(json_response({"id": "x"}))
    monkeypatch.setenv("OPENAI_BASE_URL", f"https://{host}/v1")
    client.post("/responses", {})

    assert "api-key" not in requests[0].headers


def test_organization_and_project_are_sent_if_they_are_configured(
    respond_with: RespondWith, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The template sets the variables to an empty string by default, and the SDK reads them, too."""
    requests = respond_with(json_response({"id": "x"}))
    client.create_client.cache_clear()
    monkeypatch.setenv("OPENAI_ORG_ID", "")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "")
    client.get("/x")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj_1")
    client.get("/x")

    without, with_both = (request.headers for request in requests)
    assert "OpenAI-Organization" not in without
    assert "OpenAI-Project" not in without
    assert (with_both["OpenAI-Organization"], with_both["OpenAI-Project"]) == ("org-1", "proj_1")


@pytest.mark.parametrize(
    "secret",
    [
        "sk-1",
        "sk-1\n",
        "sk-1\r\n",
        "  sk-1\t",
        "\ufeffsk-1",
        "\ufeff sk-1\n",
        '"sk-1"',
        "'sk-1'\n",
        '\n"sk-1\n"',
        "Bearer sk-1",
        "bearer  sk-1\n",
        '"Bearer sk-1"',
    ],
)
def test_what_surrounds_an_api_key_is_removed(
    respond_with: RespondWith, monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    requests = respond_with(json_response({"id": "x"}))
    monkeypatch.setattr(client, "get_secret", lambda name: clean_secret(name, secret))
    client.get("/x")

    assert requests[0].headers["Authorization"] == "Bearer sk-1"


@pytest.mark.parametrize(
    "secret",
    [
        "",
        " \n",
        "\ufeff",
        '""',
        "''",
        '" "',
        "Bearer",
        "Bearer ",
        "sk 1",
        "sk-1\nsk-2",
        "sk-ä",
        "sk-1\0",
        "Bearer sk 1",
        '{"key": "sk-1"}',
    ],
)
def test_a_secret_that_holds_no_api_key_is_rejected_by_its_name_without_a_request(
    respond_with: RespondWith, monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    requests = respond_with(json_response({"id": "x"}))
    monkeypatch.setattr(client, "get_secret", lambda name: clean_secret(name, secret))

    with pytest.raises(InvalidSecret, match=f"^the secret {SECRET_NAME} ") as caught:
        client.get("/x")

    assert caught.value.code == "invalid_secret"
    assert "sk" not in caught.value.message
    assert not requests


@pytest.mark.parametrize("body", ["You said: please.", '{"error": {"code": "You said: please."}}'])
def test_a_transient_error_quotes_nothing_of_the_server(respond_with: RespondWith, body: str) -> None:
    """Lambda logs the messages of exceptions."""
    respond_with(CannedResponse(body, 503))

    with pytest.raises(TransientError, match="^503: Service Unavailable$") as caught:
        client.get("/x")

    assert "You said: please." in caught.value.detail, "the run's record has the server's message"


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


@pytest.mark.parametrize(
    "body", ["<html>hello</html>", "[]", '"text"', "", "null", "{", "[" * 100_000, "9" * 5000]
)
def test_a_response_that_is_not_a_json_object_is_transient(respond_with: RespondWith, body: str) -> None:
    """A proxy may have sent it. The run lives as long as the next poll finds it."""
    respond_with(text_response(body, content_type="text/html"))

    requests: list[Callable[[str], object]] = [client.get, client.post]
    for request in requests:
        with pytest.raises(TransientError, match="the server answered 200, but not with a JSON object$"):
            request("/x")


@pytest.mark.parametrize("status", [202, 204])
def test_an_accepted_request_may_have_an_empty_response(respond_with: RespondWith, status: int) -> None:
    respond_with(CannedResponse(status=status))

    assert client.post("/x").body == {}


def test_json_may_begin_with_a_byte_order_mark(respond_with: RespondWith) -> None:
    respond_with(text_response('\ufeff{"id": "x"}'))

    assert client.get("/x").body == {"id": "x"}


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
    assert caught.value.detail == f"GET /x: no answer ({type(error).__name__}: {error})"
    assert len(requests) == 1, "retries belong to the workflow"
