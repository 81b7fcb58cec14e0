"""What `upcall doctor` finds if a stack is set otherwise than samconfig.toml says."""

from collections.abc import Callable
from pathlib import Path

import pytest
from support.doctor import with_parameters

from cli.doctor.deployed_stack import DeployedStack
from cli.doctor.finding import Finding
from cli.doctor.settings_checks import SECURITY_PARAMETERS, check_settings
from local.template import Template

PARAMETERS = Template().source["Parameters"]
DEFAULTS = {name: str(each["Default"]) for name, each in PARAMETERS.items()}

Check = Callable[..., list[Finding]]


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Check:
    """The findings for a stack `upcall` with these parameters, and others as in the template."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")

    def call(samconfig: str, **parameters: str) -> list[Finding]:
        path = tmp_path / "samconfig.toml"
        path.write_text(samconfig, "utf-8")
        stack = DeployedStack("upcall", "CREATE_COMPLETE", {}, DEFAULTS, {})
        return list(check_settings(with_parameters(stack, **parameters), path))

    return call


def samconfig(overrides: str = "", environment: str = "default") -> str:
    return f"""
        version = 0.1
        [{environment}.global.parameters]
        stack_name = "upcall"
        parameter_overrides = [{overrides}]
    """


def test_a_stack_that_is_set_as_the_file_says_passes(check: Check) -> None:
    (found,) = check(samconfig('"Tenancy=one", "RetentionDays=7"'), Tenancy="one", RetentionDays="7")

    assert (found.status, found.message) == ("ok", "as the environment default of samconfig.toml says")


def test_a_parameter_that_the_file_sets_otherwise_will_be_changed(check: Check) -> None:
    (found,) = check(samconfig('"RetentionDays=7"', "dev"), RetentionDays="90")

    assert found.status == "warning"
    assert found.message == (
        "RetentionDays is 90 in the stack, and 7 in samconfig.toml; "
        "the next `sam deploy --config-env dev` sets 7"
    )


def test_a_parameter_that_the_file_does_not_name_keeps_its_value(check: Check) -> None:
    (found,) = check(samconfig(), RetentionDays="90")

    assert found.status == "warning"
    assert found.message == (
        "RetentionDays is 90 in the stack, and not in samconfig.toml (default: 30); "
        "`sam deploy` keeps 90; add it, so that the file says so"
    )


def test_a_guard_that_the_next_deployment_opens_is_a_problem(check: Check) -> None:
    (found,) = check(samconfig('"AllowedDomains=\\"\\""'), AllowedDomains="example.com")

    assert found.status == "failed"
    assert "AllowedDomains is example.com in the stack, and empty in samconfig.toml" in found.message
    assert found.message.endswith("the next `sam deploy` sets empty")


@pytest.mark.parametrize("name", sorted(SECURITY_PARAMETERS))
def test_a_security_setting_that_differs_is_a_problem(check: Check, name: str) -> None:
    assert [each.status for each in check(samconfig(), **{name: "changed"})] == ["failed"]
    assert [each.status for each in check(samconfig(f'"{name}=file"'), **{name: "changed"})] == ["failed"]


def test_the_security_settings_are_parameters_and_have_all_of_the_access_group() -> None:
    groups = Template().source["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    (access,) = (each["Parameters"] for each in groups if each["Label"]["default"] == "Access")
    secrets = {name for name in PARAMETERS if name.endswith("SecretName")}

    assert PARAMETERS.keys() >= SECURITY_PARAMETERS
    loads = {"RequestsPerSecond", "RequestBurst", "GetRunConcurrency", "WaitingRequestsPerCaller"}
    assert {*access, *secrets} - loads <= SECURITY_PARAMETERS


def test_overrides_in_two_sections_are_a_problem(check: Check) -> None:
    deploy = '[default.deploy.parameters]\nparameter_overrides = "RetentionDays=7"\n'
    (found,) = check(f"{samconfig()}\n{deploy}", RetentionDays="7")

    assert found.status == "failed"
    assert "in [default.global.parameters] and [default.deploy.parameters]" in found.message


def test_a_parameter_that_the_template_does_not_have_is_a_problem(check: Check) -> None:
    (found,) = check(samconfig('"AllowedDomain=example.com"'))

    assert found.status == "failed"
    assert found.message.startswith("samconfig.toml names AllowedDomain, which is not a parameter")


def test_text_that_sam_ignores_is_a_problem(check: Check) -> None:
    found = check(samconfig('"DigestUrls=https://a.example, https://b.example"'))

    assert [each.status for each in found] == ["failed", "warning"]
    assert found[0].message.startswith(
        "SAM ignores 'https://b.example' in the parameter_overrides of default"
    )
    assert "https://a.example, in samconfig.toml" in found[1].message


def test_a_stack_without_an_environment_is_a_warning(check: Check) -> None:
    (found,) = check('[prod.global.parameters]\nstack_name = "upcall-prod"\n')

    assert found.status == "warning"
    assert found.message.startswith("no environment of samconfig.toml has the stack name upcall")


def test_a_stack_of_the_same_name_in_another_region_is_another_one(check: Check) -> None:
    (found,) = check('[prod.global.parameters]\nstack_name = "upcall"\nregion = "eu-west-1"\n')

    assert found.status == "warning"


def test_two_environments_for_one_stack_are_a_problem(check: Check) -> None:
    (found,) = check(samconfig() + samconfig(environment="dev").replace("version = 0.1", ""))

    assert found.status == "failed"
    assert found.message.startswith("the environments default and dev of samconfig.toml have the stack name")


def test_a_file_that_cannot_be_read_is_a_problem(check: Check) -> None:
    (found,) = check("[default")

    assert found.status == "failed"
    assert found.message.startswith("samconfig.toml cannot be read: ")
