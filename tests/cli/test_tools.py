"""`upcall tools` and `upcall tool`: tools without a model."""

import json

from .conftest import Upcall, problem


def test_tools_are_listed_with_what_a_model_is_told_of_them(upcall: Upcall) -> None:
    listed = upcall("tools").stdout

    assert "fetch  pure  upcall-tool-fetch" in listed
    assert "notify  once  upcall-tool-notify" in listed
    assert "offset (integer or null)  Where in the text to begin." in listed

    described = {each["name"]: each for each in json.loads(upcall("tools", "--json").stdout)}
    assert set(described) == {"fetch", "notify", "read_object"}
    assert described["fetch"]["parameters"]["additionalProperties"] is False
    assert described["notify"]["effect"] == "once"


def test_a_tool_is_called_with_parameters_or_with_json(upcall: Upcall) -> None:
    refused = upcall("tool", "fetch", "url=http://127.0.0.1/")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert json.loads(refused.stderr) == {"error": "127.0.0.1 is not a public address"}

    answer = json.loads(upcall("tool", "fetch", '{"url": "http://10.0.0.1/"}', "--json").stdout)
    assert answer["outcome"] == "error"
    assert json.loads(answer["output"]) == {"error": "10.0.0.1 is not a public address"}


def test_what_is_no_tool_and_no_argument_is_said(upcall: Upcall) -> None:
    assert (
        problem(upcall("tool", "fly"))
        == "upcall: there is no tool 'fly'; there is fetch, notify, read_object"
    )
    assert problem(upcall("tool", "fetch", "url")) == (
        "upcall: 'url' is not parameter=value; the parameters are url, offset"
    )
