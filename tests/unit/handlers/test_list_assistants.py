import json

from support.sample_events import Invoke, sample


def test_assistants_are_listed_with_their_tools_and_limits(invoke: Invoke) -> None:
    body = invoke("ListAssistantsFunction", sample("list_assistants"))["body"]
    found = {each["name"]: each for each in json.loads(body)["assistants"]}

    assert set(found) == {"messenger", "summarizer"}
    assert "fetch" in found["summarizer"]["tools"]
    assert found["summarizer"]["limits"]["rounds"] == 10
