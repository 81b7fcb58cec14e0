"""Texts that a model, a page or a caller may write to break a page."""

MARKUP = (
    '<img src=x onerror="window.hacked=1;alert(1)"><script>window.hacked=1</script>'
    '<iframe srcdoc="<script>parent.hacked=1</script>"></iframe><svg onload=window.hacked=1>'
    "<style>*{display:none!important}</style>{{7*7}}${window.hacked=1}</textarea></title></summary>"
)
BIDI = "safe\u202egnp.exe\u2066 hidden\u200b\u2028 \u2069\u061c\x1b[31m\x00\x07\ufeff"
SCRIPT_LINK = "javascript:window.hacked=1"
LINKS = f"{SCRIPT_LINK} data:text/html,<script>window.hacked=1</script> https://user:secret@example.com/ https://example.com/?q=<b>"
LINE = "x" * 1_000_000
COMBINING = ("Z" + "\u0351\u036b\u0343\u036a\u0302\u036b\u033d\u034f\u0334" * 3 + "A") * 100
EVERYTHING = f"{MARKUP}\n{BIDI}\n{LINKS}\n{COMBINING}"
