"""What `make build` reads from samconfig.toml, and the settings with which it builds nothing."""

import sys
from pathlib import Path

import pytest

from cli.build_variables import NoBuild, build_variables, find_interpreter

THIS_RUNTIME = f"python{sys.version_info.major}.{sys.version_info.minor}"


def samconfig(folder: Path, *settings: str, stack_name: str = "upcall", more: str = "") -> Path:
    """A file with these settings in the default environment."""
    path = folder / "samconfig.toml"
    path.write_text(
        f'[default.global.parameters]\nstack_name = "{stack_name}"\nparameter_overrides = {list(settings)}\n{more}',
        "utf-8",
    )
    return path


def test_a_build_is_for_the_architecture_and_the_runtime_that_the_environment_sets(tmp_path: Path) -> None:
    variables = build_variables(
        "default", samconfig(tmp_path, "Architecture=x86_64", f"Runtime={THIS_RUNTIME}", "Tenancy=one")
    )

    assert variables["ARCHITECTURE"] == "x86_64"
    assert variables["RUNTIME"] == THIS_RUNTIME


def test_bytecode_is_compiled_by_an_interpreter_of_the_runtime(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TARGET_PYTHON", "/no/interpreter")

    variables = build_variables("default", samconfig(tmp_path, f"Runtime={THIS_RUNTIME}"))

    assert variables["TARGET_PYTHON"] == sys.executable


def test_without_an_interpreter_of_the_runtime_there_is_no_bytecode_and_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    variables = build_variables("default", samconfig(tmp_path, "Runtime=python3.99"))

    assert "TARGET_PYTHON" not in variables
    assert "There is no python3.99, so the build has no bytecode" in capsys.readouterr().err


def test_a_command_that_leads_to_no_interpreter_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = tmp_path / "python3.99"
    command.write_text("#!/bin/sh\nexit 127\n", "utf-8")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    assert find_interpreter("python3.99") is None


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (
            {"more": '[default.deploy.parameters]\nparameter_overrides = "Tenancy=many"\n'},
            r"\[default.global.parameters\] and \[default.deploy.parameters\] both have parameter_overrides",
        ),
        ({"stack_name": "a" * 48}, "has more than 47 characters"),
    ],
)
def test_settings_that_would_deploy_something_else_are_rejected(
    tmp_path: Path, path: dict[str, str], reason: str
) -> None:
    with pytest.raises(NoBuild, match=reason):
        build_variables("default", samconfig(tmp_path, **path))


def test_text_that_sam_would_drop_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(NoBuild, match="SAM does not understand"):
        build_variables("default", samconfig(tmp_path, "DigestSchedule=rate(1 day)"))


def test_an_unknown_environment_is_rejected_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(NoBuild, match="there is no environment staging, only default"):
        build_variables("staging", samconfig(tmp_path))
