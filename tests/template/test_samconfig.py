"""The environments in samconfig.toml fit the template."""

import tomllib
from typing import Any

import pytest
from support.templates import TEMPLATE

from local.config import ROOT

CONFIG: dict[str, Any] = tomllib.loads((ROOT / "samconfig.toml").read_text("utf-8"))
PARAMETERS: dict[str, Any] = TEMPLATE.source["Parameters"]


def test_the_environments_are_default_dev_and_prod() -> None:
    assert [name for name, each in CONFIG.items() if isinstance(each, dict)] == ["default", "dev", "prod"]


def test_each_environment_has_its_own_stack() -> None:
    names = [CONFIG[each]["global"]["parameters"]["stack_name"] for each in ("default", "dev", "prod")]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("environment", ["default", "dev", "prod"])
def test_a_deployment_may_create_the_nested_stack_and_roles_without_custom_names(environment: str) -> None:
    capabilities = CONFIG[environment]["deploy"]["parameters"]["capabilities"]

    assert capabilities == ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_the_parameters_of_an_environment_are_in_the_template(environment: str) -> None:
    for override in CONFIG[environment]["deploy"]["parameters"]["parameter_overrides"]:
        name, _, value = override.partition("=")
        allowed = PARAMETERS[name].get("AllowedValues", [value])
        assert value in map(str, allowed)


def test_prod_confirms_change_sets_and_keeps_the_log_level_and_the_tenancy() -> None:
    prod = CONFIG["prod"]["deploy"]["parameters"]

    assert prod["confirm_changeset"] is True
    assert not any(each.startswith(("LogLevel=", "Tenancy=")) for each in prod["parameter_overrides"])
