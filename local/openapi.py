"""Writes what GET /openapi.json answers into a file: `python -m local.openapi FILE`."""

import sys
from pathlib import Path

from handlers.describe_api import handle_description_request


def described() -> str:
    """The description of the API, as its function gives it."""
    return str(handle_description_request().body)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(described() + "\n", "utf-8")
