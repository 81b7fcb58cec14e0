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


@pytest.mark.parametrize("environment", ["default", "dev", "prod"])
def test_settings_stand_in_one_place_which_builds_and_deployments_read(environment: str) -> None:
    commands = CONFIG[environment]
    assert [each for each in commands if "parameter_overrides" in commands[each]["parameters"]] == ["global"]


@pytest.mark.parametrize("environment", ["default", "dev", "prod"])
def test_the_parameters_of_an_environment_are_in_the_template(environment: str) -> None:
    for override in CONFIG[environment]["global"]["parameters"]["parameter_overrides"]:
        name, _, value = override.partition("=")
        allowed = PARAMETERS[name].get("AllowedValues", [value])
        assert value in map(str, allowed)


def test_prod_confirms_change_sets_and_keeps_the_log_level_and_the_tenancy() -> None:
    prod = CONFIG["prod"]

    assert prod["deploy"]["parameters"]["confirm_changeset"] is True
    settings = prod["global"]["parameters"]["parameter_overrides"]
    assert not any(each.startswith(("LogLevel=", "Tenancy=")) for each in settings)


@pytest.mark.parametrize("environment", ["default", "dev", "prod"])
def test_deploying_again_without_a_change_is_no_error(environment: str) -> None:
    assert CONFIG[environment]["deploy"]["parameters"]["fail_on_empty_changeset"] is False
