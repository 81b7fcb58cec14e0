"""Adapts a built template to `sam local`: `python -m local.sam.adapt_template FILE ARCHITECTURE`.

`sam local` takes the architecture of functions from the parameter's default, and sets no variable that the
template does not name. So the default becomes this architecture, and functions get the variable
`AWS_ENDPOINT_URL`, whose value is in `events/env.json`.
"""

import json
import sys
from pathlib import Path
from typing import Any

from local.transform_template import parse_yaml


def adapt_template(template: dict[str, Any], architecture: str) -> None:
    """Change a template for `sam local` on this architecture, in place."""
    template["Parameters"]["Architecture"]["Default"] = architecture
    template["Globals"]["Function"]["Environment"]["Variables"]["AWS_ENDPOINT_URL"] = ""


if __name__ == "__main__":
    file = Path(sys.argv[1])
    adapted = parse_yaml(file.read_text("utf-8"))
    adapt_template(adapted, sys.argv[2])
    file.write_text(json.dumps(adapted, indent=1), "utf-8")
