from typing import Any

import pytest
from support.fakes.clock import START
from support.wired_handlers import WiredHandlers

from upcall.domain.quota import QuotaSetting
from upcall.domain.stop import Stop

KEY = {"idempotency-key": "a key"}


def test_a_request_is_accepted_with_the_runs_id_and_its_location(handlers: WiredHandlers) -> None:
    response = handlers.request("start_run")

    assert response.status == 202
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Location"] == f"/runs/{response.json['run_id']}"
    assert response.json == {"run_id": response.json["run_id"], "status": "queued"}


def test_the_record_holds_the_request_and_the_defaults_of_the_deployment(handlers: WiredHandlers) -> None:
    run = handlers.repository.get_run(handlers.request("start_run").json["run_id"])

    assert run.prompt == "Summarise https://example.com"
    assert (run.assistant, run.model, run.run_api) == ("summarizer", "gpt-5.4-mini", "responses")
    assert list(handlers.workflow.executions) == [run.run_id]


def test_limits_and_metadata_of_the_request_are_recorded(handlers: WiredHandlers) -> None:
    body = {"prompt": "Go.", "limits": {"rounds": 2}, "metadata": {"ticket": "4711"}}

    run = handlers.repository.get_run(handlers.request("start_run", body=body).json["run_id"])

    assert (run.limits.rounds, run.limits.seconds) == (2, 900)
    assert run.metadata == {"ticket": "4711"}


@pytest.mark.parametrize(
    ("field", "value", "invalid_field"),
    [
        ("limits", {"rounds": 51}, "limits.rounds"),
        ("limits", {"seconds": 0}, "limits.seconds"),
        ("limits", {"hours": 1}, "limits.hours"),
        ("metadata", {"a": "x" * 513}, "metadata.a"),
        ("metadata", {str(n): "x" for n in range(17)}, "metadata"),
        ("metadata", {"a": 1}, "metadata.a"),
        ("assistant", "nobody", "assistant"),
        ("previous_run_id", "run_x", "previous_run_id"),
        ("model", "", "model"),
        ("run_api", "chat", "run_api"),
    ],
)
def test_a_field_that_is_invalid_is_named(
    handlers: WiredHandlers, field: str, value: object, invalid_field: str
) -> None:
    response = handlers.request("start_run", body={"prompt": "Go.", field: value})

    assert response.status == 400
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.invalid_fields == [invalid_field]
    assert handlers.workflow.executions == {}


def test_the_same_key_and_request_return_the_same_run(handlers: WiredHandlers) -> None:
    first, second = (handlers.request("start_run", headers=KEY) for _ in range(2))
    another = handlers.request("start_run", headers={"idempotency-key": "another"})

    assert (first.status, second.status) == (202, 202)
    assert first.json["run_id"] == second.json["run_id"] != another.json["run_id"]


def test_a_key_that_stands_for_another_request_is_rejected(handlers: WiredHandlers) -> None:
    handlers.request("start_run", headers=KEY)

    response = handlers.request("start_run", body={"prompt": "Stop."}, headers=KEY)

    assert response.status == 422
    assert response.json["detail"] == "this idempotency key stands for another request"


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_key_that_is_empty_or_too_long_is_rejected(handlers: WiredHandlers, key: str) -> None:
    response = handlers.request("start_run", headers={"idempotency-key": key})

    assert response.status == 400
    assert [field.lower() for field in response.invalid_fields] == ["idempotency-key"]


def test_a_body_that_is_too_large_is_rejected_before_it_is_read(handlers: WiredHandlers) -> None:
    response = handlers.request("start_run", body={"prompt": "x" * 1_000_000})

    assert response.status == 413
    assert "larger than 1,000,000 bytes" in response.json["detail"]


def start_with_callback(handlers: WiredHandlers, url: str) -> Any:
    return handlers.request("start_run", body={"prompt": "Go.", "callback_url": url})


def test_a_callback_url_is_recorded(handlers: WiredHandlers) -> None:
    response = start_with_callback(handlers, "https://example.com/hook")

    assert handlers.repository.get_run(response.json["run_id"]).callback_url == "https://example.com/hook"


def test_a_stack_without_a_secret_for_callbacks_rejects_callback_urls(
    handlers: WiredHandlers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLBACK_SECRET_NAME", "")

    response = start_with_callback(handlers, "https://example.com/")

    assert response.status == 400
    assert response.json["errors"] == [{"field": "callback_url", "reason": "callbacks are not configured"}]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://169.254.169.254/latest/", "169.254.169.254 is not a public address"),
        ("https://[::ffff:10.0.0.1]/", "::ffff:10.0.0.1 is not a public address"),
        ("https://example.com:8443/", "port 8443 is not allowed, only 80 and 443 are"),
        ("https://ann:secret@example.com/", "the URL must not contain a user name or a password"),
        ("https://example.com:99999/", "this is not a URL: Port out of range 0-65535"),
        ("https://[::1/", "this is not a URL: Invalid IPv6 URL"),
        ("https://:443/", "the URL has no host"),
        ("https://example.com:0/", "port 0 is not allowed, only 80 and 443 are"),
    ],
)
def test_a_callback_url_that_could_never_be_posted_to_is_rejected(
    handlers: WiredHandlers, url: str, reason: str
) -> None:
    response = start_with_callback(handlers, url)

    assert response.status == 400
    assert response.json["errors"] == [{"field": "callback_url", "reason": reason}]


@pytest.mark.parametrize(
    ("setting", "detail", "policy", "rate_limit"),
    [
        (
            {"runs": 1},
            "this caller has used 1 of 1 runs of the day; the day ends at 2026-01-03T00:00:00Z",
            '"runs";q=1;qu="requests";w=86400',
            '"runs";r=0;t=75355',
        ),
        (
            {"concurrent": 1},
            "1 runs of this caller are open; 1 are allowed at once",
            '"concurrent";q=1;qu="concurrent-requests"',
            '"concurrent";r=0;t=10',
        ),
    ],
    ids=["runs of a day", "open runs"],
)
def test_over_a_quota_the_response_says_which_the_figure_and_when_it_ends(
    handlers: WiredHandlers, setting: dict[str, Any], detail: str, policy: str, rate_limit: str
) -> None:
    """Retry-After and the fields of draft-ietf-httpapi-ratelimit-headers."""
    handlers.repository.quotas["anybody"] = QuotaSetting.model_validate(setting)
    assert handlers.request("start_run").status == 202

    response = handlers.request("start_run")

    assert (response.status, response.json["title"]) == (429, "Too Many Requests")
    assert response.json["detail"] == detail
    assert response.headers["RateLimit-Policy"] == policy
    assert response.headers["RateLimit"] == rate_limit
    assert response.headers["Retry-After"] == rate_limit.rpartition("=")[2]
    assert response.headers["Content-Type"] == "application/problem+json"


def test_while_runs_are_stopped_the_response_says_so_and_when_to_ask_again(handlers: WiredHandlers) -> None:
    handlers.repository.stops.append(Stop(scope="caller", name="anybody", since=START))

    response = handlers.request("start_run")

    assert (response.status, response.headers["Retry-After"]) == (503, "60")
    assert response.json["detail"] == (
        "an operator has stopped the runs of this caller: no run starts until they are resumed"
    )


def test_the_trace_of_the_caller_is_recorded_and_an_invalid_header_is_no_error(
    handlers: WiredHandlers,
) -> None:
    traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    headers: tuple[dict[str, str], ...] = (
        {"traceparent": traceparent},
        {"traceparent": "x" * 5000},
        {"traceparent": ""},
        {},
    )

    responses = [handlers.request("start_run", headers=each) for each in headers]

    assert {response.status for response in responses} == {202}
    recorded = [handlers.repository.get_run(each.json["run_id"]).traceparent for each in responses]
    assert recorded == [traceparent, None, None, None]
