"""The checks of this machine, for the local stack."""

from collections.abc import Iterator

from cli.backends.local_stack import API_PORT, AWS_PORT, PAGES_PORT, find_running_endpoints
from cli.doctor.finding import Finding
from local.config import STATE_FOLDER
from local.http_server import HOST, can_bind


def check_local_stack() -> Iterator[Finding]:
    """Check the running local stack, or the ports that it needs, and the folder of its state."""
    if (endpoints := find_running_endpoints()) is not None:
        message = f"running: API at {endpoints.api}, AWS APIs at {endpoints.aws}"
        yield Finding("local stack", "ok", message)
    else:
        for label, port in (("sample pages", PAGES_PORT), ("API", API_PORT), ("AWS APIs", AWS_PORT)):
            if can_bind(HOST, port):
                yield Finding(label, "ok", f"port {port} is free")
            else:
                yield Finding(label, "warning", f"port {port} is in use by another program")
    probe = STATE_FOLDER / ".doctor"
    try:
        STATE_FOLDER.mkdir(parents=True, exist_ok=True)
        probe.write_text("", "utf-8")
        probe.unlink()
    except OSError as error:
        yield Finding("state", "failed", f"{STATE_FOLDER} is not writable: {error.strerror}")
    else:
        yield Finding("state", "ok", f"saved in {STATE_FOLDER}")
