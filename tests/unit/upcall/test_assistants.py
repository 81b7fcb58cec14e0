import pytest

import tools
from upcall.domain.assistants import assistant, assistants
from upcall.domain.errors import NotFound


def test_the_summarizer_ships() -> None:
    summarizer = assistant("summarizer")

    assert summarizer.tools == ("fetch", "read_object")
    assert summarizer.limits.rounds == 10


@pytest.mark.parametrize("name", ["", "summariser", "../secrets", "summarizer.toml"])
def test_an_unknown_assistant_is_answered_with_those_that_exist(name: str) -> None:
    with pytest.raises(NotFound, match="there is messenger, summarizer"):
        assistant(name)


@pytest.mark.parametrize("name", assistants())
def test_each_assistant_names_tools_that_exist(name: str) -> None:
    assert set(assistant(name).tools) <= set(tools.names())
