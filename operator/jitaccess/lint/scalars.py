"""What a bare word in YAML means to kubectl, which reads YAML 1.1 by Go's rules: `on` is true, and 18:00 is a text. Pure."""

import re

_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
}
_INFINITE = {
    **{f"{sign}{word}": f"{sign}inf" for sign in ("", "+", "-") for word in (".inf", ".Inf", ".INF")},
    **dict.fromkeys((".nan", ".NaN", ".NAN"), "nan"),
}
_BASES = ((re.compile(r"0[xX][0-9a-fA-F]+"), 16), (re.compile(r"0[oO]?[0-7]+"), 8), (re.compile(r"0[bB][01]+"), 2))
_WHOLE = re.compile(r"0|[1-9][0-9]*")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


def plain(text: str) -> str | int | float | bool | None:
    """The value of a scalar without quotes. A number without a fraction is a whole one, as it is in JSON."""
    if text in _WORDS:
        return _WORDS[text]
    if text in _INFINITE:
        return float(_INFINITE[text])
    if not text[0].isascii() or text[0] not in "+-.0123456789":
        return text
    digits = text if text[0] == "." else text.replace("_", "")
    whole = _whole(digits)
    if whole is not None:
        return whole
    if not _FLOAT.fullmatch(digits):
        return text
    number = float(digits)
    return int(number) if number.is_integer() else number


def _whole(digits: str) -> int | None:
    sign, size = (-1, digits[1:]) if digits[:1] == "-" else (1, digits.removeprefix("+"))
    for form, base in _BASES:
        if form.fullmatch(size):
            return sign * int(size[1:].lstrip("xXoObB"), base)
    return sign * int(size) if _WHOLE.fullmatch(size) else None
