import pytest
from support.fakes.tools import FakeTools

import tools
from upcall.use_cases.interfaces import Tools


@pytest.mark.parametrize("implementation", [FakeTools(), tools], ids=["fake", "real"])
class TestTools:
    def test_only_a_run_that_may_read_the_stacks_data_may_use_the_tool_for_it(
        self, implementation: Tools
    ) -> None:
        names = ["read_object", "fetch"]

        assert implementation.allowed(names, may_read_stack_data=True) == ("read_object", "fetch")
        assert implementation.allowed(names, may_read_stack_data=False) == ("fetch",)

    def test_definitions_are_in_the_order_of_the_names(self, implementation: Tools) -> None:
        definitions = implementation.definitions(["read_object", "fetch"])

        assert [definition.name for definition in definitions] == ["read_object", "fetch"]
        assert all(definition.description for definition in definitions)
