"""Runs whose text is shown as the model writes it, told from outside over HTTP."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from support.fast_stack import pushed_runs
from support.function_changes import function_changes
from support.runs import Runs

from local.openai_emulator import Call, CallTools, FailAtFirst, Fault, Say, response_stream
from local.openai_emulator.conversation import Fail
from local.stack import LocalStack
from upcall.use_cases import poll_run, record_text

TEXT = " ".join(f"word-{number}" for number in range(40))
SLOWLY = Say(TEXT, after_seconds=2)


class Reader:
    """Reads the events and the text of a run, page by page, to its end."""

    def __init__(self, runs: Runs, run_id: str) -> None:
        self.pieces: list[dict[str, Any]] = []
        self.running: list[str] = []
        """What of the text was known before the run had ended."""
        self._http, self._path = runs.http, f"/runs/{run_id}/events"
        after = text_after = 0
        ended = False
        while not ended:
            page = self._http.get(
                self._path, params={"after": after, "text_after": text_after, "wait": 20}
            ).json()
            after, text_after, ended = page["next"], page["next_text"], page["ended"]
            self.pieces += page["text"]
            if not ended:
                self.running.append(self.text)

    @property
    def text(self) -> str:
        """The text of the newest turn."""
        text = ""
        for piece in self.pieces:
            text = piece["text"] if piece["offset"] == 0 else text + piece["text"]
            assert len(text) == piece["offset"] + len(piece["text"])
        return text


@pytest.fixture(autouse=True)
def _short_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_text, "PIECE_SECONDS", 0.1)


@pytest.fixture
def _short_windows(local_stack: LocalStack, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each invocation follows the stream for a third of a second."""
    monkeypatch.setattr(poll_run, "MIN_STREAM_SECONDS", 0.3)
    with ExitStack() as stack:
        for function in ("CreateRunFunction", "PollRunFunction"):
            stack.enter_context(
                function_changes(local_stack, function, environment={"POLL_WINDOW_SECONDS": "0"})
            )
        yield


@pytest.mark.parametrize("pushed", [False, True], ids=["polled", "pushed"])
def test_the_text_is_known_while_the_model_writes_it(
    runs: Runs, local_stack: LocalStack, pushed: bool
) -> None:
    with pushed_runs(local_stack) if pushed else ExitStack():
        run_id = runs.start_script(SLOWLY, stream=True)
        reader = Reader(runs, run_id)
    run = runs.wait_for_end(run_id).run

    assert run["status"] == "completed"
    assert run["message"] == reader.text == TEXT
    assert any(0 < len(known) < len(TEXT) for known in reader.running)
    assert all(TEXT.startswith(known) for known in reader.running)
    assert [piece["number"] for piece in reader.pieces] == list(range(1, len(reader.pieces) + 1))


@pytest.mark.usefixtures("_short_windows")
def test_several_invocations_follow_a_long_turn_and_each_piece_comes_once(runs: Runs) -> None:
    run_id = runs.start_script(SLOWLY, stream=True)

    assert Reader(runs, run_id).text == TEXT
    assert runs.entered_states(run_id).count("Poll run") >= 3


def test_the_turn_after_tool_calls_begins_anew(runs: Runs, local_stack: LocalStack) -> None:
    fetch = CallTools((Call.of("fetch", url=f"{local_stack.endpoints.pages}/tides"),))
    run_id = runs.start_script(fetch, Say("There are tides.", after_seconds=0.3), stream=True)
    reader = Reader(runs, run_id)

    assert reader.text == "There are tides."
    assert {piece["round"] for piece in reader.pieces} == {1}


def test_a_turn_that_failed_and_is_requested_again_begins_anew(runs: Runs) -> None:
    fails = FailAtFirst(Fail("server_error", "Out of luck."), then=Say("At last.", after_seconds=0.2))
    run_id = runs.start_script(fails, stream=True)

    assert Reader(runs, run_id).text == runs.wait_for_end(run_id).run["message"] == "At last."


@pytest.mark.parametrize("fault", [Fault("stream", 0), Fault("stream", 502), Fault("stream", 400)])
def test_a_stream_that_fails_costs_no_run(runs: Runs, fault: Fault) -> None:
    ended = runs.run_script(Say(TEXT, after_seconds=0.5), faults=[fault], stream=True)

    assert (ended.run["status"], ended.run["message"]) == ("completed", TEXT)


def test_a_response_that_cannot_be_streamed_any_more_is_polled(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(response_stream, "MAX_AGE_SECONDS", -1)
    run_id = runs.start_script(Say(TEXT), stream=True)

    assert Reader(runs, run_id).pieces == []
    assert runs.wait_for_end(run_id).run["message"] == TEXT


@pytest.mark.parametrize("operation", ["create", "submit"])
def test_a_creation_whose_stream_is_lost_is_repeated(
    runs: Runs, local_stack: LocalStack, operation: str
) -> None:
    fetch = CallTools((Call.of("fetch", url=f"{local_stack.endpoints.pages}/tides"),))
    ended = runs.run_script(fetch, Say("Done."), faults=[Fault(operation, 0, processed=True)], stream=True)

    assert (ended.run["status"], ended.run["message"]) == ("completed", "Done.")


@pytest.mark.parametrize("api", ["assistants", "agents"])
def test_other_run_apis_refuse_it(runs: Runs, api: str) -> None:
    response = runs.post({"prompt": "Go.", "run_api": api, "stream": True})

    assert response.status_code == 400
    assert response.json()["errors"][0]["field"] == "stream"
