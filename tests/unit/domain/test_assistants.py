import pytest

import tools
from upcall.domain.assistants import all_assistants, find_assistant
from upcall.domain.errors import NotFound


def test_the_summarizer_is_deployed() -> None:
    summarizer = find_assistant("summarizer")

    assert summarizer.tools == ("fetch", "read_object")
    assert summarizer.limits.rounds == 10


@pytest.mark.parametrize("name", ["", "summariser", "../secrets", "summarizer.toml"])
def test_the_error_for_an_unknown_assistant_lists_those_that_exist(name: str) -> None:
    with pytest.raises(NotFound, match="there is announcer, messenger, summarizer"):
        find_assistant(name)


@pytest.mark.parametrize("name", all_assistants())
def test_each_assistant_names_tools_that_exist(name: str) -> None:
    assert set(find_assistant(name).tools) <= set(tools.names())
