"""What reading the definitions of all tools imports, in a new process."""

import subprocess
import sys


def test_definitions_load_none_of_the_heavy_libraries() -> None:
    code = (
        "import sys, tools; tools.definitions(tools.names());"
        "print([m for m in ('httpx', 'trafilatura', 'lxml', 'openai', 'boto3') if m in sys.modules])"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert process.stdout.strip() == "[]"
