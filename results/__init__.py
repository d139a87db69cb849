"""Results of a run: the store, and tables made from it. `results.load` reads a run as data frames."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from results.run import Run, load

__all__ = ["Run", "load"]


def __getattr__(name: str) -> Any:
    # Lazily: pandas takes half a second to import, and most commands only need `results.store.errors`.
    if name in __all__:
        from results import run

        return getattr(run, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
