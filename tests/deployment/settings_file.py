"""The samconfig.toml of a copy of the project, edited as an operator would."""

import re
from pathlib import Path

from cli.settings import environments
from local.config import machine_architecture


class SettingsFile:
    """Edits the lists of parameters in the file.

    Each environment gets the settings that the engine needs: a server of the run APIs on loopback, and the
    architecture of this machine.
    """

    def __init__(self, path: Path, openai_base_url: str) -> None:
        self._path = path
        self._engine = {
            "OpenAIBaseUrl": openai_base_url,
            "Architecture": machine_architecture(),
        }
        for environment in ("default", "dev", "prod"):
            self.set(environment)

    def set(self, environment: str = "default", **parameters: str) -> None:
        """Set parameters of an environment, and keep its others."""
        text = self._path.read_text("utf-8")
        present = environments(self._path)[environment].parameters
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
        shown = self._path.with_name("guide.toml")
        shown.write_text(block, "utf-8")
        for environment in environments(shown).values():
            self.set(environment.name, **environment.parameters)
