"""The patches that save time when a local stack starts. If a test fails, a new version of moto moved what is patched."""

from typing import Any

import boto3
import pytest
from moto.cloudformation.models import Stack as MotoStack
from moto.core import utils

from local.moto_patches import startup

pytestmark = pytest.mark.usefixtures("local_stack")


@pytest.mark.parametrize("template", ['{"Resources": {"A": {}}}', "Resources: {A: {}}"])
def test_a_template_may_be_json_or_yaml(template: str) -> None:
    """`Stack.parse_template`, which parses JSON as YAML."""
    assert MotoStack.parse_template(template) == {"Resources": {"A": {}}}


def test_a_template_that_is_json_is_not_parsed_as_yaml(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: str) -> Any:
        raise AssertionError

    monkeypatch.setattr(startup, "_parse_template", fail)

    assert MotoStack.parse_template("{}") == {}


def test_the_model_of_a_service_is_read_by_the_loader_of_the_clients() -> None:
    """`create_loader` and `Session`, in the module of utilities."""
    session = boto3.DEFAULT_SESSION
    assert session is not None

    patched = vars(utils)
    assert patched["Session"]() is session._session
    assert patched["create_loader"]() is session._session.get_component("data_loader")
    assert utils.get_service_model("sqs").service_name == "sqs"
