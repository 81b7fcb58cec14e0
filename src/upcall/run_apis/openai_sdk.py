"""What Upcall uses of the OpenAI SDK: its client and its errors.

`import openai` also loads models of all requests and responses: 470 modules, which Upcall does not use and
which take more than half of the time. The `__init__` modules of three packages load them. These are left out
here, and run as usual when somebody imports `openai` later; the client and the errors are the same then. A
module that was loaded here is not an attribute of its package: `from openai.types import shared` finds it,
`openai.types.shared` does not.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec, module_from_spec
from typing import TYPE_CHECKING

__all__ = ["APIError", "APIStatusError", "OpenAI"]

PACKAGES = ("openai", "openai.lib", "openai.types")


@contextmanager
def empty_packages() -> Iterator[None]:
    """Let modules of the SDK be imported without the `__init__` modules of their packages.

    Another thread must not import `openai` meanwhile: it would find an empty package.
    """
    try:
        for name in PACKAGES:
            if spec := find_spec(name):
                sys.modules[name] = module_from_spec(spec)
        yield
    finally:
        for name in PACKAGES:
            sys.modules.pop(name, None)


if TYPE_CHECKING or "openai" in sys.modules:
    from openai import APIError, APIStatusError, OpenAI
else:
    with empty_packages():
        from openai._client import OpenAI
        from openai._exceptions import APIError, APIStatusError
