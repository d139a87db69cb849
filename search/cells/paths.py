"""Paths as people write them: `~` and `$NAME` are expanded where no shell has done so."""

import os
from pathlib import Path


def expanded(path: str | Path) -> str:
    """Return a path with its leading `~` or `~USER` and its `$NAME` expanded; an existing path is left as it is.

    A name that the environment lacks stays, so that a message shows it.
    """
    text = str(path)
    if "\0" in text or not (text.startswith("~") or "$" in text) or os.path.lexists(text):
        return text
    return os.path.expandvars(os.path.expanduser(text))
