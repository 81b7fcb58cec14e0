"""Patches of moto that save time when a local stack starts, and change no response. They fit moto 5.2.5.

Each has a test in `tests/integration/local/test_moto_patches_startup.py`, which fails if a new version of
moto moves what is patched.
"""

import json
from typing import Any

import boto3
from moto.cloudformation.models import Stack
from moto.core import utils


def parse_json_templates() -> None:
    """Parse a template that is JSON as JSON. moto parses it as YAML, in pure Python."""

    def parse_template(template: str) -> Any:
        try:
            return json.loads(template)
        except ValueError:
            return _parse_template(template)

    Stack.parse_template = staticmethod(parse_template)  # type: ignore[method-assign]


def share_service_models() -> None:
    """Read the models of services with the loader of boto3's clients.

    moto makes a loader for each model, which searches the folders of all services and parses the model again.
    """
    session = boto3.DEFAULT_SESSION or boto3.Session()
    boto3.DEFAULT_SESSION = session
    botocore_session = session._session
    loader = botocore_session.get_component("data_loader")
    utils.create_loader = lambda: loader  # type: ignore[attr-defined]
    utils.Session = lambda: botocore_session  # type: ignore[misc, assignment, attr-defined]


_parse_template = Stack.parse_template
