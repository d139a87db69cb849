"""Message for a package that gatesearch depends on and that cannot be imported: missing, or broken."""

from traceback import walk_tb
from types import FrameType

from search.core.import_path import PACKAGES

_DISTRIBUTIONS = {"sklearn": "scikit-learn", "vl_convert": "vl-convert-python"}
"""Names on the package index of modules that are called otherwise."""


def broken_dependency(error: BaseException) -> str | None:
    """Return the message for an error that another package raised while it was imported; None for any other error."""
    module = _imported_by_us(error)
    if module is None or module in PACKAGES:
        return None
    text = " ".join(str(error).split())
    return (
        f"the package {module!r} cannot be imported ({type(error).__name__}: {text[:300]}); "
        f"install it again: pip install --force-reinstall '{requirement(module)}'"
    )


def requirement(module: str) -> str:
    """Return the declared requirement of a module's distribution, such as `torch>=2.13,<2.15`, or its name alone."""
    # Imported once something has failed: before the command line has left the working directory, a `random.py` in it
    # would be taken for the one that this needs.
    from importlib.metadata import PackageNotFoundError, requires

    wanted = _DISTRIBUTIONS.get(module, module).replace("_", "-").lower()
    try:
        declared = requires("gatesearch") or []
    except PackageNotFoundError:
        declared = []
    for line in declared:
        text = line.partition(";")[0].replace(" ", "")
        name = text
        for sign in "[<>=!~":
            name = name.partition(sign)[0]
        if name.replace("_", "-").lower() == wanted:
            return text
    return wanted


def _imported_by_us(error: BaseException) -> str | None:
    """Return the top-level module that the innermost code of this project was importing, or None if it was not.

    Python takes the frames of its own import system out of a traceback. What remains of an import is that code of a
    module's body follows, or nothing. A package may also import another one late, in a function, and an import hook has
    functions of its own; then the error says what could not be found.
    """
    inner: list[FrameType] = []
    for frame, _ in walk_tb(error.__traceback__):
        if _top(frame) in PACKAGES:
            inner.clear()
        elif not frame.f_code.co_filename.startswith("<frozen importlib"):
            inner.append(frame)
    if inner and inner[0].f_code.co_name == "<module>":
        return _top(inner[0]) or None
    cause: BaseException | None = error
    while isinstance(cause, ImportError):
        if cause.name:
            return cause.name.partition(".")[0]
        cause = cause.__cause__
    return None


def _top(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]
