"""The tool `fetch`, with a download that needs no network."""

import json

import pytest
from support.sample_events import sample_event

from local import sample_pages
from tools.fetch import fetch, lambda_handler
from upcall.domain.errors import ToolError
from upcall.web.download import Download

URL = "https://example.com/lighthouses"


@pytest.fixture(autouse=True)
def example_com(monkeypatch: pytest.MonkeyPatch) -> None:
    """A site with one page."""
    page = Download(URL, "text/html", "utf-8", (sample_pages.FOLDER / "lighthouses.html").read_bytes())

    def download(url: str) -> Download:
        if url != URL:
            raise ToolError("the server returned 404 Not Found")
        return page

    monkeypatch.setattr("upcall.web.download.download", download)


def test_a_page_has_a_title_and_ends_with_its_last_part() -> None:
    page = fetch(URL)

    assert page.title == "How a lighthouse says its name"
    assert page.next_offset is None


def test_a_call_has_an_output_that_begins_at_the_offset() -> None:
    output = lambda_handler(sample_event("fetch", arguments=json.dumps({"url": URL, "offset": 100})))

    assert (output["call_id"], output["outcome"]) == ("call_1_1", "ok")
    assert json.loads(output["output"])["offset"] == 100


def test_a_long_page_is_returned_in_parts() -> None:
    event = sample_event("fetch", arguments=json.dumps({"url": URL}), max_output_bytes=600)
    output = lambda_handler(event)
    page = json.loads(output["output"])

    assert len(json.dumps(output["output"])) <= 600
    assert page["next_offset"] == len(page["text"])


def test_the_handler_accepts_the_sample_event() -> None:
    """Its URL is not the page's, so that the output is an error for the model."""
    output = lambda_handler(sample_event("fetch"))

    assert (output["call_id"], output["outcome"]) == ("call_1_1", "error")


def test_a_page_without_text_is_an_error_that_says_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    app = Download(URL, "text/html", None, b"<title>App</title><div id=root></div><script src=a.js></script>")
    monkeypatch.setattr("upcall.web.download.download", lambda _: app)

    output = lambda_handler(sample_event("fetch", arguments=json.dumps({"url": URL})))

    assert output["outcome"] == "error"
    assert "drawn by JavaScript, which this tool does not run" in json.loads(output["output"])["error"]


def test_the_model_learns_how_to_get_the_next_part() -> None:
    assert "next_offset" in lambda_handler.definition.description
    assert lambda_handler.definition.parameters["properties"]["url"]["description"]
