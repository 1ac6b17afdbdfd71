"""Text that people wrote, made to mean nothing to any chat, mail or on-call service: no mention, link, markup, second line. Pure.

Each service reads its own dialect, several read Markdown although they call it plain text, and some turn bare words into links.
So nothing is escaped for one of them: what any of them could read as more than a letter becomes a letter that looks the same, in
all of them (docs/adr/0023-notifications.md). Our own words, commands and link are never passed through this.
"""

import re

from jitaccess.domain.text import legible

LONGEST = 400  # characters; a reason is at most 1024
_LOOKALIKES = str.maketrans(
    {
        "@": "\uff20",  # mentions: @here, @everyone, @channel, @room; addresses
        "#": "\uff03",  # channels and hashtags
        "<": "\u2039",  # HTML, <!channel>, <@U012>, <at>, <https://...|text>
        ">": "\u203a",
        "&": "\uff06",  # &lt; and the like
        "[": "\uff3b",  # [text](link), ![picture](link)
        "]": "\uff3d",
        "{": "\uff5b",  # templates, as {{DATE()}} of adaptive cards
        "}": "\uff5d",
        "*": "\u2217",  # emphasis, code, strike, spoilers, tables, formulas
        "_": "\u02cd",
        "~": "\u223c",
        "`": "\u02cb",
        "|": "\u2223",
        "$": "\uff04",
        "^": "\u02c6",
        "\\": "\u2216",
        "/": "\u2215",  # https://, /command
    }
)
# What makes links and little pictures of words, where it stands before more of the word: example.com, mailto:, :smile:
_WITHIN = re.compile(r"([.:])(?=\S)")
_WITHIN_LOOKALIKES = {".": "\u2024", ":": "\u2236"}


def inert(text: str, longest: int = LONGEST) -> str:
    """The text as one line of at most that many characters, all of which are only letters to whatever shows them."""
    line = " ".join(legible(" ".join(text.split())).split())
    cut = line if len(line) <= longest else f"{line[: longest - 3]}..."
    return _WITHIN.sub(lambda mark: _WITHIN_LOOKALIKES[mark[0]], cut.translate(_LOOKALIKES))


def argument(name: str) -> str:
    """The name of an object as a shell takes it, and as nothing that shows it takes for a link: `a'.'b` for `a.b`.

    Kubernetes lets names be made of lower-case letters, digits, '-' and '.' alone.
    """
    return name.replace(".", "'.'")
