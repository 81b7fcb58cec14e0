"""Pages that check for a browser before they show anything: who made the check, by marks in the page."""

from typing import Final

MAX_CHARACTERS: Final = 200_000

_MARKS: Final = {
    "Cloudflare": ("_cf_chl_opt", "cf-browser-verification", "cf_chl_", "/cdn-cgi/l/chk_captcha"),
    "AWS WAF": (".awswaf.com", "gokuprops", "awswafcookiedomainlist"),
    "DataDome": ("captcha-delivery.com",),
    "Imperva": ("_incapsula_resource",),
    "HUMAN": ("px-captcha", "/captcha.px-cdn.net", "_pxappid"),
    "Akamai": ("/_sec/cp_challenge/", "sec-if-cpt-container", "errors.edgesuite.net"),
    "Sucuri": ("sucuri_cloudproxy_js",),
    "DDoS-Guard": ("/.well-known/ddos-guard/",),
    "Vercel": ("/.well-known/vercel/security/",),
    "Kasada": ("kpsdk",),
    "Anubis": ("anubis_challenge", "/.within.website/x/"),
    "reCAPTCHA": ("g-recaptcha", "google.com/recaptcha/"),
    "hCaptcha": ("h-captcha", "hcaptcha.com/"),
    "Turnstile": ("cf-turnstile", "challenges.cloudflare.com/turnstile"),
}


def detect_challenge(html: str) -> str | None:
    """Whose check a page is; None if it is none.

    Ordinary pages have some of the marks in them, too. So ask only about a page that shows nothing else, or
    came with an error.
    """
    text = html[:MAX_CHARACTERS].lower()
    return next((vendor for vendor, marks in _MARKS.items() if any(mark in text for mark in marks)), None)


def challenge_message(vendor: str) -> str:
    """What the model is told."""
    return (
        f"the site checks that its visitors are browsers ({vendor}), and this tool does not pass; "
        "use another source, or an API of the site"
    )
