"""The tools by name."""

import pytest

import tools


def test_the_tools_are_the_files_of_the_folder() -> None:
    assert tools.names() == ["fetch", "notify", "read_object"]


@pytest.mark.parametrize("name", tools.names())
def test_each_tool_has_the_name_of_its_file_and_a_description(name: str) -> None:
    definition = tools.find(name).definition

    assert definition.name == name
    assert len(definition.description) > 20


def test_definitions_are_in_the_order_of_the_names() -> None:
    assert [each.name for each in tools.definitions(["notify", "fetch"])] == ["notify", "fetch"]
