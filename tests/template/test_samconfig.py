"""The environments of samconfig.toml deploy this template with parameters that it has."""

import tomllib
from typing import Any

import pytest

from local.config import ROOT
from local.template import Template

CONFIG: dict[str, Any] = tomllib.loads((ROOT / "samconfig.toml").read_text("utf-8"))
PARAMETERS: dict[str, Any] = Template(ROOT).source["Parameters"]


def test_there_are_dev_and_prod_besides_the_default() -> None:
    assert [name for name, each in CONFIG.items() if isinstance(each, dict)] == ["default", "dev", "prod"]


def test_each_environment_is_a_stack_of_its_own() -> None:
    names = [CONFIG[each]["global"]["parameters"]["stack_name"] for each in ("default", "dev", "prod")]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("environment", ["default", "dev", "prod"])
def test_an_environment_asks_for_no_rights_but_roles_without_names(environment: str) -> None:
    assert CONFIG[environment]["deploy"]["parameters"]["capabilities"] == "CAPABILITY_IAM"


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_the_parameters_of_an_environment_are_those_of_the_template(environment: str) -> None:
    for override in CONFIG[environment]["deploy"]["parameters"]["parameter_overrides"]:
        name, _, value = override.partition("=")
        allowed = PARAMETERS[name].get("AllowedValues", [value])
        assert value in map(str, allowed)


def test_prod_looks_before_it_changes_and_keeps_words_out_of_the_logs() -> None:
    prod = CONFIG["prod"]["deploy"]["parameters"]

    assert prod["confirm_changeset"] is True
    assert not any(each.startswith(("LogLevel=", "Tenancy=")) for each in prod["parameter_overrides"])
