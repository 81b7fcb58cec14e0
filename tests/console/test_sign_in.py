"""A site of the console: sign-in by the code flow with PKCE, and what becomes of its tokens."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from console.axe import assert_accessible, violations
from console.browser import Console, OpenConsole, open_consoles
from console.openid_provider import OpenIdProvider
from playwright.sync_api import Browser, Response, expect
from support.runs import Runs
from support.templates import CONSOLE

from local.openai_emulator import Say

if TYPE_CHECKING:
    from console.served_site import ServedSite

    from local.stack import LocalStack

NOT_STARTED = "This tab has not started this sign-in, or has finished it before. Sign in again."


@pytest.fixture
def provider() -> Iterator[OpenIdProvider]:
    with OpenIdProvider() as started:
        yield started


@pytest.fixture
def site(local_stack: "LocalStack", provider: OpenIdProvider) -> Iterator["ServedSite"]:
    from console.served_site import ServedSite

    with ServedSite(local_stack, provider) as started:
        yield started


@pytest.fixture
def open_site(browser: Browser, site: "ServedSite") -> Iterator[OpenConsole]:
    """Open a page of the site in a new tab. At the end, nothing may have gone wrong in it."""
    with open_consoles(browser, site.url, "/#/runs", issuer=site.provider.issuer) as open_it:
        yield open_it


def sign_in(console: Console) -> None:
    console.page.get_by_role("button", name="Sign in").click()
    expect(console.page.get_by_role("button", name="Sign out")).to_be_visible()


def signed_in(open_site: OpenConsole) -> Console:
    """The list of runs, for somebody who has signed in."""
    console = open_site()
    sign_in(console)
    expect(console.page.locator("table.runs, .empty").first).to_be_visible()
    return console


def is_answer(response: Response, path: str) -> bool:
    """Whether it is a successful response of the API about this path."""
    return response.ok and f"/api{path}" in response.url


def stored(console: Console) -> str:
    """All that the page has stored for the tab and for the browser."""
    return str(console.page.evaluate("JSON.stringify([{...sessionStorage}, {...localStorage}])"))


def test_runs_are_shown_after_signing_in(
    open_site: OpenConsole, site: "ServedSite", provider: OpenIdProvider, runs: Runs
) -> None:
    run_id = runs.run_script(Say("Done.")).run["run_id"]
    console = open_site()
    page = console.page
    expect(page.locator("h1")).to_have_text("Sign in")
    assert site.requests == []

    sign_in(console)

    expect(page.locator(f"tr[data-run={run_id}]")).to_be_visible()
    assert page.url == f"{site.url}/#/runs"
    assert len(provider.authorizations) == len(provider.token_requests) == 1
    assert len(provider.token_requests[0]["code_verifier"]) == 43
    assert console.violations() == []
    expect(page.locator("#stack")).to_have_text("upcall-prod · eu-central-1")


def test_a_run_is_started_on_the_site(open_site: OpenConsole, site: "ServedSite") -> None:
    console = open_site("/#/start")
    sign_in(console)

    console.page.get_by_label(re.compile("^Prompt")).fill("Hello.")
    console.page.locator("main form button[type=submit]").click()

    expect(console.page.locator("main")).to_contain_text("completed", timeout=30_000)
    assert "POST /runs" in site.requests


def test_after_signing_in_the_page_is_shown_that_was_asked_for(open_site: OpenConsole) -> None:
    console = open_site("/#/runs?status=failed")

    sign_in(console)

    expect(console.page.get_by_label("Status")).to_have_value("failed")
    assert console.page.url.endswith("/#/runs?status=failed")


def test_a_reload_keeps_the_sign_in_and_another_tab_has_its_own(
    open_site: OpenConsole, site: "ServedSite", provider: OpenIdProvider
) -> None:
    console = open_site()
    sign_in(console)

    console.page.reload()
    expect(console.page.locator("h1")).to_have_text("Runs")
    other = console.page.context.new_page()
    other.goto(site.url)
    expect(other.locator("h1")).to_have_text("Sign in")

    assert len(provider.authorizations) == 1
    (token,) = provider.valid
    assert token in stored(console)
    assert token not in str(console.page.evaluate("JSON.stringify({...localStorage})"))


@pytest.mark.parametrize("answer", ["code=stolen", "error=access_denied&error_description=Call+555-0100"])
def test_a_response_with_another_state_is_refused(
    open_site: OpenConsole, site: "ServedSite", provider: OpenIdProvider, answer: str
) -> None:
    console = open_site(f"/?{answer}&state=forged")

    expect(console.page.get_by_role("alert")).to_have_text(NOT_STARTED)
    assert console.page.url == f"{site.url}/"
    assert provider.token_requests == []


def test_a_state_is_that_of_the_last_attempt_and_is_used_once(
    open_site: OpenConsole, site: "ServedSite", provider: OpenIdProvider
) -> None:
    provider.refusal = {"error": "access_denied"}
    console = open_site()
    page = console.page
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    (used,) = provider.authorizations

    page.goto(f"{site.url}/?code=stolen&state={used['state']}")

    expect(page.get_by_role("alert")).to_have_text(NOT_STARTED)
    assert provider.token_requests == []


def test_two_attempts_have_nothing_in_common(open_site: OpenConsole, provider: OpenIdProvider) -> None:
    console = open_site()
    sign_in(console)
    console.page.get_by_role("button", name="Sign out").click()
    sign_in(console)

    one, other = provider.authorizations
    assert one["state"] != other["state"]
    assert one["code_challenge"] != other["code_challenge"]


def test_an_error_of_the_issuer_is_shown_as_text(
    open_site: OpenConsole, site: "ServedSite", provider: OpenIdProvider
) -> None:
    provider.refusal = {"error": "access_denied", "error_description": "Ann may <b>not</b>.\u202e"}
    console = open_site("/#/batches")

    console.page.get_by_role("button", name="Sign in").click()

    expect(console.page.get_by_role("alert")).to_have_text(
        "The issuer has refused the sign-in: access_denied: Ann may <b>not</b>.‹U+202E›"
    )
    assert console.page.url == f"{site.url}/#/batches"
    assert provider.token_requests == []


def test_a_code_that_the_issuer_refuses_is_an_error(open_site: OpenConsole, provider: OpenIdProvider) -> None:
    console = open_site()
    page = console.page
    page.route(
        "**/tenant/token",
        lambda route: route.fulfill(
            status=400, json={"error": "invalid_grant"}, headers={"Access-Control-Allow-Origin": "*"}
        ),
    )

    page.get_by_role("button", name="Sign in").click()

    expect(page.get_by_role("alert")).to_have_text("The issuer has refused the sign-in: invalid_grant")
    assert provider.valid == set()


def test_with_an_expired_token_one_is_led_to_the_issuer_and_back(
    open_site: OpenConsole, site: "ServedSite", provider: OpenIdProvider
) -> None:
    console = signed_in(open_site)
    provider.expire_tokens()

    console.go("/batches")

    expect(console.page.get_by_role("heading", name="Batches")).to_be_visible()
    expect(console.page.locator("main table, .empty").first).to_be_visible()
    assert len(provider.authorizations) == 2
    assert console.page.url == f"{site.url}/#/batches"


def test_a_refresh_token_renews_the_token_without_leaving_the_page(
    open_site: OpenConsole, provider: OpenIdProvider
) -> None:
    provider.refreshes = True
    console = signed_in(open_site)
    for path in ("/batches", "/tools"):
        provider.expire_tokens()
        with console.page.expect_response(lambda response, path=path: is_answer(response, path)):
            console.go(path)

    grants = [each["grant_type"] for each in provider.token_requests]
    assert grants == ["authorization_code", "refresh_token", "refresh_token"]
    assert len(provider.authorizations) == 1


def test_a_refresh_token_that_is_no_longer_valid_leads_to_the_issuer(
    open_site: OpenConsole, provider: OpenIdProvider
) -> None:
    provider.refreshes = True
    console = signed_in(open_site)
    provider.expire_tokens()
    provider.revoke_refresh_tokens()

    console.go("/batches")

    expect(console.page.locator("main table, .empty").first).to_be_visible()
    expect(console.page.get_by_role("heading", name="Batches")).to_be_visible()
    assert len(provider.authorizations) == 2


@pytest.mark.parametrize("refreshes", [False, True])
def test_a_token_that_the_api_never_accepts_does_not_lead_in_a_circle(
    open_site: OpenConsole, site: "ServedSite", provider: OpenIdProvider, refreshes: bool
) -> None:
    site.accepts_tokens = False
    provider.refreshes = refreshes
    console = open_site()

    console.page.get_by_role("button", name="Sign in").click()

    expect(console.page.get_by_role("alert")).to_contain_text(
        "The API did not accept the token of the issuer."
    )
    expect(console.page.get_by_role("button", name="Sign out")).to_be_hidden()
    assert len(provider.authorizations) == len(provider.token_requests) == 1


def test_the_frame_with_the_button_for_signing_out_fits_a_narrow_screen(open_site: OpenConsole) -> None:
    console = open_site(width=390, height=844)
    sign_in(console)

    assert console.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert violations(console) == []


def test_signing_out_forgets_the_tokens(open_site: OpenConsole, provider: OpenIdProvider) -> None:
    provider.refreshes = True
    console = open_site()
    sign_in(console)

    console.page.get_by_role("button", name="Sign out").click()

    expect(console.page.locator("h1")).to_have_text("Sign in")
    expect(console.page.get_by_role("button", name="Sign out")).to_be_hidden()
    assert "access_token" not in stored(console)
    console.page.reload()
    expect(console.page.locator("h1")).to_have_text("Sign in")


@pytest.mark.parametrize(
    ("configuration", "problem"),
    [
        ({"token_endpoint": "http://login.example.com/token"}, "The issuer's token_endpoint does not begin with https."),
        ({"authorization_endpoint": "javascript:alert(1)"}, "The issuer's authorization_endpoint does not begin with https."),
        ({"issuer": "https://evil.example.com"}, "The issuer's configuration cannot be read, or is that of another issuer."),
    ],
)  # fmt: skip
def test_an_issuer_that_cannot_be_trusted_is_not_used(
    open_site: OpenConsole, provider: OpenIdProvider, configuration: dict[str, str], problem: str
) -> None:
    provider.configuration = configuration
    console = open_site()

    console.page.get_by_role("button", name="Sign in").click()

    expect(console.page.get_by_role("alert")).to_have_text(problem)
    assert provider.authorizations == []


def test_an_origin_that_the_policy_does_not_name_cannot_be_reached(
    open_site: OpenConsole, provider: OpenIdProvider
) -> None:
    """The policy is that of `console.yaml`. Another origin for tokens needs the parameter ConsoleTokenOrigin."""
    provider.configuration = {"token_endpoint": "https://tokens.example.com/token"}
    console = open_site()

    console.page.get_by_role("button", name="Sign in").click()

    expect(console.page.get_by_role("alert")).to_have_text(
        "tokens.example.com cannot be reached from this page."
    )
    assert console.violations() == ["connect-src https://tokens.example.com/token"]
    console.problems.clear()


def test_what_needs_aws_credentials_is_not_shown(open_site: OpenConsole, site: "ServedSite") -> None:
    console = open_site("/#/tools")
    sign_in(console)
    page = console.page
    expect(page.get_by_role("heading", name="fetch", exact=True)).to_be_visible()

    expect(page.get_by_text("Try it")).to_have_count(0)
    expect(page.get_by_role("link", name="Health")).to_have_count(0)
    page.keyboard.press("g")
    page.keyboard.press("h")
    console.go("/health")
    expect(page.locator("h1")).to_have_text("There is no such page")


@pytest.mark.parametrize(
    ("uri", "expected"), [("/api/runs/r", "/runs/r"), ("/api/api/x", "/api/x"), ("/api/health", "/health")]
)
def test_the_distribution_removes_the_prefix_of_the_api(
    open_site: OpenConsole, uri: str, expected: str
) -> None:
    code = CONSOLE["Resources"]["ConsoleApiPath"]["Properties"]["FunctionCode"]

    call = f"uri => {{ {code}; return handler({{ request: {{ uri }} }}).uri }}"

    assert open_site().page.evaluate(call, uri) == expected


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/", "/?code=x&state=x"])
def test_the_page_for_signing_in_is_accessible(open_site: OpenConsole, path: str, theme: str) -> None:
    console = open_site(path, theme=theme)
    page = console.page
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()

    assert_accessible(console)
