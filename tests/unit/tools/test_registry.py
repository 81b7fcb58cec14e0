import pytest

import tools


def test_the_tools_are_the_files_of_the_folder() -> None:
    assert tools.names() == ["fetch", "notify", "read_object"]


@pytest.mark.parametrize("name", tools.names())
def test_each_tool_bears_the_name_of_its_file_and_says_what_it_does(name: str) -> None:
    definition = tools.find(name).definition

    assert definition.name == name
    assert len(definition.description) > 20


def test_definitions_come_in_the_order_that_was_asked_for() -> None:
    assert [each.name for each in tools.definitions(["notify", "fetch"])] == ["notify", "fetch"]


def test_reading_a_definition_loads_none_of_the_heavy_libraries() -> None:
    import subprocess
    import sys

    code = (
        "import sys, tools; tools.definitions(tools.names());"
        "print([m for m in ('httpx', 'trafilatura', 'lxml', 'openai', 'boto3') if m in sys.modules])"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert printed.stdout.strip() == "[]"
