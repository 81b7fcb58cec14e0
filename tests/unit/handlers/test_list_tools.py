import json

from support.sample_events import Invoke, sample

import tools


def test_tools_are_listed_as_a_model_is_told_of_them(invoke: Invoke) -> None:
    found = json.loads(invoke("ListToolsFunction", sample("list_tools"))["body"])["tools"]

    assert [each["name"] for each in found] == tools.names()
    assert found[0]["parameters"]["properties"]["url"]["type"] == "string"
