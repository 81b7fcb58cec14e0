"""The site of the console, as `console.yaml` sets it up for an issuer."""

from typing import Any

from support.template_conditions import resolve
from support.templates import CONSOLE


def response_headers(issuer: str, token_origin: str = "") -> dict[str, str]:
    """The headers that the distribution adds to each response, for an issuer and another origin for tokens."""
    policy = CONSOLE["Resources"]["ConsoleHeaders"]["Properties"]["ResponseHeadersPolicyConfig"]
    parameters = {"Issuer": issuer, "TokenOrigin": token_origin}
    found: dict[str, Any] = resolve(policy, CONSOLE, parameters)
    security = found["SecurityHeadersConfig"]
    seconds = security["StrictTransportSecurity"]["AccessControlMaxAgeSec"]
    return {
        "Content-Security-Policy": security["ContentSecurityPolicy"]["ContentSecurityPolicy"],
        "Strict-Transport-Security": f"max-age={seconds}",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": security["FrameOptions"]["FrameOption"],
        "Referrer-Policy": security["ReferrerPolicy"]["ReferrerPolicy"],
        **{each["Header"]: each["Value"] for each in found["CustomHeadersConfig"]["Items"]},
    }
