"""Writes the template as CloudFormation gets it into a file: `python -m local.transformed FILE`."""

import json
import sys
from pathlib import Path

from local.template import Template


def transformed() -> str:
    """The template after the SAM transformation, as JSON."""
    return json.dumps(Template().transformed, indent=1)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(transformed() + "\n", "utf-8")
