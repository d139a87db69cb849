"""Lines of text for a terminal: broken between words, with every command on one line, so that it can be copied."""

import re
import textwrap

_COMMAND = re.compile(r"`[^`]*`|\bgatesearch (?:(?!, gatesearch | \().)*?(?=, gatesearch | \(|; |\. |$)")
"""A command in backticks, or from its first word up to what follows: another one, a bracket, or the next sentence."""

_SPACE = "\N{NO-BREAK SPACE}"


def wrapped(text: str, width: int, indent: str = "") -> list[str]:
    """Return a text in lines of at most `width` characters, which a long word or command exceeds on a line of its own.

    A command stays on one line, and a number beside its percent sign.

    Args:
        text: one line; spaces at its beginning are kept.
        width: columns of the terminal.
        indent: put before all lines but the first.
    """
    kept = _COMMAND.sub(lambda found: found[0].replace(" ", _SPACE), text).replace(" %", f"{_SPACE}%")
    lines = textwrap.wrap(
        kept, max(width, len(indent) + 1), subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return [line.replace(_SPACE, " ") for line in lines]
