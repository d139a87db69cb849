"""Paths as people write them: `~` and `$NAME` are expanded where no shell has done so."""

import os
import re
from pathlib import Path


def expanded(path: str | Path) -> str:
    """Return a path with its leading `~` or `~USER` and its `$NAME` expanded; an existing path is left as it is.

    A name that the environment lacks stays, so that a message shows it (`unknown_name`).
    """
    text = str(path)
    if "\0" in text or not (text.startswith("~") or "$" in text) or os.path.lexists(text):
        return text
    return os.path.expandvars(os.path.expanduser(text))


def unknown_name(path: str) -> str | None:
    """Return the first `$NAME` or `~USER` of an expanded path that nothing is known for; None if there is none.

    A path that exists has none: a folder may be called so.
    """
    found = re.match(r"~[^/]*", path) or re.search(r"\$(\w+|\{[^}]*\})", path, re.ASCII)
    return None if found is None or os.path.lexists(path) else found.group()
