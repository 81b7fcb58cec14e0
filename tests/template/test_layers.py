"""The layers fit the runtime of the functions, whichever Python builds them."""

import os
import re
import subprocess

import pytest
from packaging.markers import Marker
from packaging.utils import canonicalize_name
from support.layer_packages import LAYERS
from support.templates import TEMPLATE

from cli import build_variables
from local.config import ROOT

RUNTIMES = TEMPLATE.source["Parameters"]["Runtime"]["AllowedValues"]
DEFAULT_RUNTIME = TEMPLATE.parameter_default("Runtime")


def test_functions_and_layers_have_the_runtime_of_the_parameter() -> None:
    layers = [each for each in TEMPLATE.source["Resources"].values() if "LayerVersion" in each["Type"]]

    assert TEMPLATE.source["Globals"]["Function"]["Runtime"] == {"Ref": "Runtime"}
    assert [layer["Properties"]["CompatibleRuntimes"] for layer in layers] == [[{"Ref": "Runtime"}]] * 2


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_has_the_same_packages_whatever_python_builds_it(layer: str, runtime: str) -> None:
    """pip evaluates environment markers for the Python that it runs on, so there are none."""
    pins = (ROOT / "layers" / layer / f"requirements-{runtime}.txt").read_text("utf-8").split()

    assert all(re.fullmatch(r"[a-z0-9-]+==[\w.]+", pin) for pin in pins)
    for requirement in (ROOT / "layers" / layer / "requirements.in").read_text("utf-8").splitlines():
        name, _, marker = requirement.partition(";")
        needed = not marker or Marker(marker).evaluate({"python_version": runtime.removeprefix("python")})
        assert needed == any(pin.startswith(f"{canonicalize_name(name.strip())}==") for pin in pins)


@pytest.mark.parametrize("layer", LAYERS)
def test_a_version_of_a_package_is_the_same_in_the_layers_of_all_runtimes(layer: str) -> None:
    versions = dict[str, str]()
    for runtime in RUNTIMES:
        for pin in (ROOT / "layers" / layer / f"requirements-{runtime}.txt").read_text("utf-8").split():
            name, _, version = pin.partition("==")
            assert versions.setdefault(name, version) == version


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("runtime", [None, *RUNTIMES])
def test_a_layer_is_built_for_the_runtime(layer: str, runtime: str | None) -> None:
    """What `make` would run. Without a variable it is the default of the template's parameter."""
    target = f"build-{layer.capitalize()}Layer"
    variables = [f"RUNTIME={runtime}"] if runtime else []
    process = subprocess.run(
        ["make", "--dry-run", "--directory", str(ROOT / "layers" / layer), target, *variables],
        env={"PATH": os.environ["PATH"], "ARTIFACTS_DIR": "/artifacts"},
        capture_output=True,
        text=True,
        check=True,
    )

    expected = runtime or DEFAULT_RUNTIME
    assert f"--python-version {expected.removeprefix('python')} " in process.stdout
    assert f"--requirement requirements-{expected}.txt" in process.stdout


def test_the_makefile_knows_the_runtimes() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")

    assert f"RUNTIMES := {' '.join(RUNTIMES)}\n" in makefile


def test_a_build_has_the_defaults_of_the_template() -> None:
    assert {
        name: TEMPLATE.parameter_default(name) for name in build_variables.DEFAULTS
    } == build_variables.DEFAULTS
