"""The console's server: whom it answers, what it serves, and what it passes on to the local stack."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.console_browser import Browser, open_console

from cli.console import server
from cli.console.server import ConsoleServer
from cli.console.stack import local_console_stack
from local.http_server import HttpServer
from local.openai_emulator import Say
from local.stack import LocalStack

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of pages, with a file outside of it to which a link leads."""
    outside = tmp_path_factory.mktemp("outside")
    (outside / "secret.html").write_text("secret", "utf-8")
    pages = outside / "pages"
    (pages / "parts").mkdir(parents=True)
    (pages / "index.html").write_text("<!doctype html><title>Console</title>", "utf-8")
    (pages / "app.js").write_text("export {};", "utf-8")
    (pages / "parts" / "style.css").write_text("body {}", "utf-8")
    (pages / "parts" / "icon.svg").write_text("<svg/>", "utf-8")
    (pages / "notes.md").write_text("Not served.", "utf-8")
    (pages / ".hidden.html").write_text("Not served.", "utf-8")
    (pages / "link.html").symlink_to(outside / "secret.html")
    return pages


@pytest.fixture(scope="module")
def browser(local_stack: LocalStack, folder: Path) -> Iterator[Browser]:
    with open_console(local_console_stack(local_stack.endpoints), folder) as opened:
        yield opened


def port_of(browser: Browser) -> str:
    return browser.server.url.rpartition(":")[2]


def test_the_pages_need_no_token_and_may_load_nothing_from_elsewhere(browser: Browser) -> None:
    response = browser.get("/", token="")

    assert (response.status_code, response.text) == (200, "<!doctype html><title>Console</title>")
    assert response.headers["Content-Security-Policy"] == POLICY
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/index.html", "text/html; charset=utf-8"),
        ("/app.js", "text/javascript; charset=utf-8"),
        ("/parts/style.css", "text/css; charset=utf-8"),
        ("/parts/icon.svg", "image/svg+xml"),
        ("/parts/icon.svg?v=1", "image/svg+xml"),
    ],
)
def test_each_file_has_the_content_type_of_its_name(browser: Browser, path: str, content_type: str) -> None:
    response = browser.get(path, token="")

    assert (response.status_code, response.headers["Content-Type"]) == (200, content_type)
    head = browser.send("HEAD", path, token="")
    assert (head.status_code, head.content) == (200, b"")


@pytest.mark.parametrize(
    "target",
    [
        "/../secret.html",
        "/parts/../../secret.html",
        "/%2e%2e/secret.html",
        "/..%2fsecret.html",
        "/%2e%2e%2fsecret.html",
        "/..%5csecret.html",
        "/parts/%00/../../secret.html",
        "//secret.html",
        "/link.html",
        "/.hidden.html",
        "/notes.md",
        "/parts",
        "/parts/",
        "/nothing.html",
        "/C:/secret.html",
        "/api",
        "/console",
    ],
)
def test_what_is_not_in_the_folder_is_not_found(browser: Browser, target: str) -> None:
    status, body = browser.send_as_it_is(target)

    assert status == 404
    assert b"there is nothing at this address" in body


def test_pages_are_only_read(browser: Browser) -> None:
    response = browser.post("/index.html")

    assert (response.status_code, response.headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["/api/runs", "/console/session", "/console/health", "/console/nothing"])
@pytest.mark.parametrize("token", ["", "wrong", "ünknown"])
def test_whoever_has_not_the_token_gets_no_data(browser: Browser, path: str, token: str) -> None:
    response = browser.get(path, token="", headers={"X-Console-Token": token.encode()} if token else {})

    assert response.status_code == 403
    assert response.json()["detail"].startswith("the header X-Console-Token has not the token")
    assert response.headers["Content-Security-Policy"] == POLICY


def test_a_token_in_the_query_is_none(browser: Browser) -> None:
    assert browser.get(f"/api/runs?token={browser.token}", token="").status_code == 403


def test_each_server_has_a_token_of_its_own(browser: Browser, local_stack: LocalStack) -> None:
    with open_console(local_console_stack(local_stack.endpoints)) as other:
        assert len(other.token) >= 40
        assert other.get("/console/session", token=browser.token).status_code == 403
        assert other.get("/console/session").status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:PORT",
        "127.0.0.1",
        "127.0.0.1:1",
        "127.0.0.1.evil.example:PORT",
        "[::1]:PORT",
        "",
    ],
)
def test_a_name_that_points_to_loopback_is_refused(browser: Browser, host: str) -> None:
    """DNS rebinding: with another name, a page of its owner has the origin of this server."""
    headers = {"Host": host.replace("PORT", port_of(browser))}
    for path in ("/", "/api/runs"):
        assert browser.get(path, headers=headers).status_code == 421


def test_loopback_has_two_names(browser: Browser) -> None:
    for host in ("127.0.0.1", "localhost", "LocalHost"):
        name = f"{host}:{port_of(browser)}"
        headers = {"Host": name, "Origin": f"http://{name}", "Sec-Fetch-Site": "same-origin"}
        assert browser.get("/console/session", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "https://127.0.0.1:PORT"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_requests_of_other_pages_are_refused(browser: Browser, headers: dict[str, str]) -> None:
    sent = {name: value.replace("PORT", port_of(browser)) for name, value in headers.items()}
    for response in (browser.get("/api/runs", headers=sent), browser.post("/api/runs", headers=sent)):
        assert (response.status_code, response.json()["detail"]) == (
            403,
            "requests of other pages are refused",
        )


def test_another_page_learns_nothing_by_asking_first(browser: Browser) -> None:
    headers = {
        "Origin": "https://evil.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "x-console-token",
    }
    response = browser.send("OPTIONS", "/api/runs", token="", headers=headers)

    assert response.status_code == 403
    assert not [name for name in response.headers if name.lower().startswith("access-control")]


def test_a_run_is_started_and_followed_through_the_api(browser: Browser, local_stack: LocalStack) -> None:
    model = local_stack.emulator.script(Say("Ahoi."))

    started = browser.post("/api/runs", json={"prompt": "Greet.", "model": model})
    assert (started.status_code, started.headers["Content-Type"]) == (202, "application/json")
    run = browser.get(f"/api/runs/{started.json()['run_id']}?wait=20").json()
    assert (run["status"], run["message"]) == ("completed", "Ahoi.")
    assert started.json()["run_id"] in browser.get("/api/runs?limit=100").text


def test_the_same_request_with_a_key_is_one_run(browser: Browser) -> None:
    responses = [
        browser.post("/api/runs", json={"prompt": "Once."}, headers={"Idempotency-Key": "console-once"})
        for _ in range(2)
    ]

    assert len({response.json()["run_id"] for response in responses}) == 1


def test_errors_of_the_api_pass_through(browser: Browser) -> None:
    missing = browser.get("/api/runs/run_of_nobody")
    assert (missing.status_code, missing.headers["Content-Type"]) == (404, "application/problem+json")
    assert missing.json()["detail"] == "there is no run 'run_of_nobody'"
    invalid = browser.post("/api/runs", json={"prompt": ""})
    assert [each["field"] for each in invalid.json()["errors"]] == ["prompt"]
    assert browser.get("/api/nothing").status_code == 404


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
def test_methods_that_the_api_has_not_are_not_passed_on(browser: Browser, method: str) -> None:
    response = browser.send(method, "/api/runs")

    assert (response.status_code, response.headers["Allow"]) == (405, "GET, POST")


@pytest.mark.parametrize(
    "target",
    [
        "/api/../runs",
        "/api/%2e%2e/runs",
        "/api/runs/..%2f..",
        "/api/runs/..%5c",
        "/%61pi/runs",
    ],
)
def test_a_path_does_not_lead_out_of_the_api(browser: Browser, target: str) -> None:
    assert browser.send_as_it_is(target)[0] == 404


def test_a_request_as_to_a_proxy_leads_nowhere(browser: Browser) -> None:
    assert browser.send_as_it_is("http://evil.example/api/runs")[0] == 421
    assert browser.send_as_it_is(f"{browser.server.url}/api/runs")[0] == 404


def test_a_body_that_is_too_large_is_refused_whether_its_size_is_announced_or_not(browser: Browser) -> None:
    body = b"x" * (server.MAX_BODY_BYTES + 1)

    for content in (body, iter([body[:500_000], body[500_000:]])):
        response = browser.post("/api/runs", content=content)
        assert (response.status_code, response.json()["detail"]) == (
            413,
            "the body is larger than 1,000,000 bytes",
        )


def test_a_connection_on_which_nothing_comes_is_closed(
    local_stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "IDLE_SECONDS", 0.1)
    with (
        open_console(local_console_stack(local_stack.endpoints)) as opened,
        socket.create_connection(("127.0.0.1", int(port_of(opened))), timeout=10) as idle,
    ):
        idle.sendall(b"GET / HT")
        assert idle.recv(1) == b""


def test_the_usual_port_is_replaced_by_any_if_it_is_in_use(
    local_stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = local_console_stack(local_stack.endpoints)
    with HttpServer(lambda *_: []) as other:
        monkeypatch.setattr(server, "CONSOLE_PORT", int(other.url.rpartition(":")[2]))
        with ConsoleServer(stack) as first:
            assert first.url != other.url
    with ConsoleServer(stack) as second:
        assert second.url == other.url


def test_it_listens_on_loopback_alone(browser: Browser) -> None:
    assert browser.server.url.startswith("http://127.0.0.1:")
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.2", int(port_of(browser))), timeout=10)


def test_a_defect_says_nothing_about_itself(
    browser: Browser, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(server, "json_response", lambda _: 1 / 0)
    response = browser.get("/console/session")

    assert (response.status_code, response.json()["detail"]) == (500, "a defect of the console server")
    assert "ZeroDivisionError" in capsys.readouterr().err
