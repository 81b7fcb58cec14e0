"""Writes the response of GET /openapi.json into a file: `python -m local.openapi FILE`."""

import sys
from pathlib import Path

from handlers.describe_api import handle_description_request

if __name__ == "__main__":
    Path(sys.argv[1]).write_text(f"{handle_description_request().body}\n", "utf-8")
