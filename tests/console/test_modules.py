"""Modules without a page: what they compute, in the browser."""

import json
from typing import Any

import pytest
from console.browser import Console, OpenConsole

JSON_TEXTS = [
    "{}",
    "[]",
    "null",
    "true",
    "-0.5e+10",
    '"a\\u202eb\\n"',
    ' { "a" : [ 1 , {"b": null} ] } ',
    "[[[[1]]]]",
    '"\\ud83d\\ude00"',
]
NOT_JSON = [
    "",
    "{",
    "[1,]",
    "{a: 1}",
    "01",
    "'a'",
    "1 2",
    '"\n"',
    '{"a" 1}',
    "[" * 1000,
    "nul",
    '"\\x"',
    "NaN",
]


def evaluate(console: Console, expression: str, argument: object = None) -> Any:
    """The value of an expression in which `modules` has the modules of the console by their names."""
    names = ["json", "text", "timeline", "format", "events", "run-list"]
    script = f"""async argument => {{
      const modules = {{}};
      for (const name of {json.dumps(names)}) modules[name] = await import(`/${{name}}.js`);
      return ({expression});
    }}"""
    return console.page.evaluate(script, argument)


PLAIN = """
(function plain(value) {
  if (value.kind === "object") return Object.fromEntries(value.entries.map(([name, each]) => [name, plain(each)]));
  if (value.kind === "array") return value.items.map(plain);
  return value.kind === "string" ? value.text : JSON.parse(value.text);
})(modules.json.parseJson(argument))
"""


@pytest.fixture
def console(open_page: OpenConsole) -> Console:
    """Some page."""
    return open_page("/health")


def test_json_is_read_as_it_is(console: Console) -> None:
    for text in JSON_TEXTS:
        assert evaluate(console, PLAIN, text) == json.loads(text)
    for text in NOT_JSON:
        assert evaluate(console, "modules.json.parseJson(argument)", text) is None


def test_hidden_characters_are_made_visible(console: Console) -> None:
    assert (
        evaluate(console, "modules.text.visible(argument)", "a\u202eb\u0000c\td\r\ne")
        == "a‹U+202E›b‹U+0000›c\td\ne"
    )
    assert (
        evaluate(console, "modules.text.visible(argument)", "👨\u200d👩 می\u200cخواهم")
        == "👨\u200d👩 می\u200cخواهم"
    )
    assert evaluate(console, "modules.text.exact(argument)", "a\u200db\u00a0c") == "a‹U+200D›b‹U+00A0›c"


def test_figures_are_written_for_people(console: Console) -> None:
    written = evaluate(
        console,
        "argument.map(modules.format.duration)",
        [0, 240, 6400, 59_970, 192_000, 7_500_000, 273_600_000],
    )
    assert written == ["0 ms", "240 ms", "6.4 s", "1 min", "3 min 12 s", "2 h 5 min", "3 d 4 h"]
    dollars = evaluate(console, "argument.map(modules.format.dollars)", [None, 0, 0.0000123, 0.0123, 1.5])
    assert dollars == ["–", "$0", "$0.000012", "$0.012", "$1.50"]


def test_events_come_in_order_without_gaps(console: Console) -> None:
    numbers = evaluate(
        console,
        "modules.events.inOrder(argument.map(number => ({number})), 2).map(({number}) => number)",
        [5, 3, 3, 4, 7, 1],
    )
    assert numbers == [3, 4, 5]


EVENTS = [
    {"at": "2026-11-27T03:00:00.000Z", "type": "run.queued", "attempt": 1},
    {"at": "2026-11-27T03:00:01.000Z", "type": "run.in_progress"},
    {
        "at": "2026-11-27T03:00:03.000Z",
        "type": "run.requires_action",
        "round": 1,
        "calls": [{"call": "1-1", "name": "fetch"}, {"call": "1-2", "name": "notify"}],
    },
    {
        "at": "2026-11-27T03:00:03.500Z",
        "type": "tool_call.waiting",
        "call": "1-2",
        "name": "notify",
        "waits_for": "approval",
    },
    {
        "at": "2026-11-27T03:00:08.500Z",
        "type": "tool_call.answered",
        "call": "1-2",
        "name": "notify",
        "decision": "approve",
    },
    {
        "at": "2026-11-27T03:00:10.000Z",
        "type": "tool_call.ended",
        "call": "1-1",
        "name": "fetch",
        "outcome": "ok",
        "started_at": "2026-11-27T03:00:03.200Z",
        "duration_ms": 800,
    },
    {
        "at": "2026-11-27T03:00:10.000Z",
        "type": "tool_call.ended",
        "call": "1-2",
        "name": "notify",
        "outcome": "ok",
        "started_at": "2026-11-27T03:00:09.000Z",
        "duration_ms": 500,
    },
    {"at": "2026-11-27T03:00:10.000Z", "type": "round.ended", "round": 1},
    {"at": "2026-11-27T03:00:10.100Z", "type": "run.in_progress"},
    {"at": "2026-11-27T03:00:12.000Z", "type": "message.saved", "characters": 5},
    {"at": "2026-11-27T03:00:12.100Z", "type": "run.completed"},
]
TIMELINE = """(() => {
  const timeline = new modules.timeline.Timeline();
  timeline.add(argument);
  return { totals: timeline.totals(), total: timeline.total(), groups: timeline.groups.map(({round, calls}) => [round, calls.size]) };
})()"""


def test_the_time_of_a_run_is_divided_without_gaps(console: Console) -> None:
    found = evaluate(console, TIMELINE, EVENTS)

    assert found["totals"] == {"model": 3900, "tools": 1300, "waiting": 4500, "overhead": 2400}
    assert sum(found["totals"].values()) == found["total"] == 12_100
    assert found["groups"] == [[1, 2], [None, 0]]


def test_the_time_between_two_attempts_is_nobodys(console: Console) -> None:
    retried = [
        *EVENTS[:2],
        {"at": "2026-11-27T03:00:02.000Z", "type": "run.failed"},
        {"at": "2026-11-27T04:00:00.000Z", "type": "run.queued", "attempt": 2},
        {"at": "2026-11-27T04:00:01.000Z", "type": "run.in_progress"},
        {"at": "2026-11-27T04:00:02.000Z", "type": "run.completed"},
    ]
    totals = evaluate(console, TIMELINE, retried)["totals"]

    assert totals == {"model": 2000, "tools": 0, "waiting": 0, "overhead": 2000}


def test_a_list_forgets_runs_that_have_another_status_now(console: Console) -> None:
    script = """(() => {
      const list = new modules["run-list"].RunList();
      const page = (ids, next) => ({ runs: ids.map((run_id) => ({ run_id, status: "queued" })), next_cursor: next });
      list.take(page(["9", "8", "7"], "7"));
      list.take(page(["6", "5"], null), "7");
      list.take(page(["9", "7", "6"], "6"));
      return [list.sorted.map(({ run_id }) => run_id), list.next];
    })()"""
    assert evaluate(console, script) == [["9", "7", "6", "5"], None]
