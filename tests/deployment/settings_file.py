"""The samconfig.toml of a copy of the project, edited as an operator would."""

import platform
import re
import tomllib
from pathlib import Path

ARCHITECTURES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}


class SettingsFile:
    """Edits the lists of parameters in the file.

    Each environment gets the settings that the engine needs: a server of the run APIs on loopback, and the
    architecture of this machine.
    """

    def __init__(self, path: Path, openai_base_url: str) -> None:
        self._path = path
        self._engine = {
            "OpenAIBaseUrl": openai_base_url,
            "Architecture": ARCHITECTURES[platform.machine()],
        }
        for environment in ("default", "dev", "prod"):
            self.set(environment)

    def set(self, environment: str = "default", **parameters: str) -> None:
        """Set parameters of an environment, and keep its others."""
        text = self._path.read_text("utf-8")
        section = tomllib.loads(text)[environment]["global"]["parameters"]
        present = dict(split(each) for each in section["parameter_overrides"])
        lines = [
            f"  '{name}=\"{value}\"'," for name, value in {**present, **self._engine, **parameters}.items()
        ]
        new = "\n".join(["parameter_overrides = [", *lines, "]"])
        header = re.escape(f"[{environment}.global.parameters]")
        pattern = re.compile(rf"({header}\n(?:(?!\[).*\n)*?)parameter_overrides = \[[^\]]*\]")
        text, count = pattern.subn(lambda match: match[1] + new, text)
        assert count == 1
        self._path.write_text(text, "utf-8")

    def apply(self, block: str) -> None:
        """Set what a block of TOML in a guide shows."""
        ((environment, commands),) = tomllib.loads(block).items()
        overrides = commands["global"]["parameters"]["parameter_overrides"]
        self.set(environment, **dict(split(each) for each in overrides))


def split(override: str) -> tuple[str, str]:
    """The name and the value of a setting. SAM takes an empty value, or one with blanks, only in quotes."""
    name, _, value = override.partition("=")
    return name, value.strip('"')
