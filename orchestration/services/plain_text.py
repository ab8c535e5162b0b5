"""Text from engines, made fit to be stored and sent."""

import unicodedata


def plain_text(text: str) -> str:
    """The text with control characters and lone surrogates as spaces; length is kept.

    PostgreSQL refuses U+0000 and UTF-8 has no lone surrogates, yet JSON can carry both.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(" " if unicodedata.category(c) in ("Cc", "Cs") else c for c in text)
