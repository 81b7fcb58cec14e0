"""The settings of stacks in `samconfig.toml`."""

import subprocess
import sys
from pathlib import Path

import pytest

from cli.settings import SAMCONFIG, InvalidSettings, environments, settings_of_stack


def write(folder: Path, text: str) -> Path:
    path = folder / "samconfig.toml"
    path.write_text(text, "utf-8")
    return path


def overrides(folder: Path, value: str) -> dict[str, str]:
    """The parameters of an environment with this `parameter_overrides`."""
    path = write(folder, f"version = 0.1\n[default.global.parameters]\nparameter_overrides = {value}\n")
    return dict(environments(path)["default"].parameters)


def test_the_environments_of_the_project_are_read() -> None:
    found = environments()

    assert {name: each.stack_name for name, each in found.items()} == {
        "default": "upcall",
        "dev": "upcall-dev",
        "prod": "upcall-prod",
    }
    assert found["prod"].parameters["OpenAISecretName"] == "upcall-prod/openai-api-key"
    assert all(len(each.sections) <= 1 and not each.ignored for each in found.values())
    assert settings_of_stack("upcall-dev") == [found["dev"]]


@pytest.mark.parametrize(
    "value",
    [
        '["Tenancy=one", "DigestSchedule=\\"cron(0 6 * * ? *)\\""]',
        '"Tenancy=one DigestSchedule=\\"cron(0 6 * * ? *)\\""',
        "'''Tenancy=\"one\" DigestSchedule='cron(0 6 * * ? *)' '''",
        "'ParameterKey=Tenancy,ParameterValue=one ParameterKey=DigestSchedule,ParameterValue=\"cron(0 6 * * ? *)\"'",
        '{Tenancy = "one", DigestSchedule = "cron(0 6 * * ? *)"}',
    ],
    ids=["a list", "a string", "either quotation marks", "names and values", "a table"],
)
def test_every_form_that_sam_reads_is_read(tmp_path: Path, value: str) -> None:
    assert overrides(tmp_path, value) == {"Tenancy": "one", "DigestSchedule": "cron(0 6 * * ? *)"}


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("'AllowedDomains=\"\"'", {"AllowedDomains": ""}),
        ('\'A="d \\"e\\""\'', {"A": 'd "e"'}),
        ("['A=https://example.com/v1?x=y']", {"A": "https://example.com/v1?x=y"}),
        ("'A=a,b B=c'", {"A": "a,b", "B": "c"}),
        ("{A = ['a', ' b'], B = 5}", {"A": "a,b", "B": "5"}),
        ("''", {}),
        ("[]", {}),
    ],
)
def test_a_value_is_what_sam_makes_of_it(tmp_path: Path, value: str, read: dict[str, str]) -> None:
    assert overrides(tmp_path, value) == read


def test_text_that_sam_ignores_is_named(tmp_path: Path) -> None:
    text = "[a.deploy.parameters]\nparameter_overrides = ['DigestSchedule=rate(1 day)', 'AllowedDomains=', 'B=c']\n"
    found = environments(write(tmp_path, text))["a"]

    assert found.parameters == {"DigestSchedule": "rate(1", "B": "c"}
    assert found.ignored == ("day)", "AllowedDomains=")


def test_the_section_of_deploy_replaces_the_global_one(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
        [a.global.parameters]
        stack_name = "before"
        region = "eu-west-1"
        parameter_overrides = ["A=1", "B=2"]
        [a.deploy.parameters]
        stack_name = "now"
        parameter_overrides = "A=3"
        """,
    )
    (found,) = settings_of_stack("now", path=path)

    assert (found.parameters, found.region) == ({"A": "3"}, "eu-west-1")
    assert found.sections == ("a.global.parameters", "a.deploy.parameters")
    assert settings_of_stack("before", path=path) == []
    assert settings_of_stack("now", "us-east-1", path) == []
    assert settings_of_stack("now", "eu-west-1", path) == [found]


def test_the_command_that_deploys_an_environment_is_known() -> None:
    commands = {each.name: each.deploy_command for each in environments().values()}

    assert commands["default"] == "sam deploy"
    assert commands["prod"] == "sam deploy --config-env prod"


def test_without_a_file_there_are_no_environments(tmp_path: Path) -> None:
    assert environments(tmp_path / "samconfig.toml") == {}


@pytest.mark.parametrize("text", ["[a", "a = 1\na = 2"])
def test_a_file_that_is_not_toml_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidSettings, match=r"samconfig.toml cannot be read: "):
        environments(write(tmp_path, text))


def test_sections_of_another_shape_are_empty(tmp_path: Path) -> None:
    found = environments(write(tmp_path, "a = {deploy = 1}\nb = {global = {parameters = 2}}\n"))

    assert [each.parameters for each in found.values()] == [{}, {}]


def test_it_is_read_without_any_package() -> None:
    """The Makefile does so before anything is installed."""
    program = "from cli.settings import environments; print(*environments())"
    command = [sys.executable, "-S", "-c", program]
    finished = subprocess.run(
        command, cwd=SAMCONFIG.parent, capture_output=True, text=True, check=True, env={}
    )

    assert finished.stdout.split()[0] == "default"
