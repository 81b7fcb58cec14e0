"""Opens the user's browser, if this machine can show one."""

import os
import sys
import webbrowser


def open_browser(url: str) -> bool:
    """Open a URL in the user's browser. Returns whether there is one; never raises.

    Without a display, Python would start a browser in the terminal; only one that BROWSER names is started.
    """
    has_display = sys.platform in ("darwin", "win32") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    )
    try:
        return has_display and webbrowser.open(url)
    except (OSError, webbrowser.Error):
        return False
