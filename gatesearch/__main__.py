"""`python -m gatesearch`: the command line. The installed command `gatesearch` calls `main` as well.

Python puts the working directory first on the import path of `python -m`. It is removed before anything else is
imported, so that a user's own `random.py` or `search.py` there is never imported in place of the standard library's or
of this package's. Two kinds of file are imported by Python itself before that, and only `python -P -m` avoids them: a
`gatesearch` of the user's, and modules that `python -m` needs, such as `types.py`.
"""

import sys

from gatesearch import _use_own_packages


def main() -> None:
    """Run the command line."""
    try:
        _use_own_packages()  # PYTHONPATH may name a folder with a `search.py`
    except ImportError as error:
        print(f"gatesearch: {error}", file=sys.stderr)
        sys.exit(2)
    from search.cli.dependencies import broken_dependency

    try:
        from search.cli.main import main as run
    except Exception as error:
        message = broken_dependency(error)
        if message is None:
            raise
        print(f"gatesearch: {message}", file=sys.stderr)
        sys.exit(2)
    run()


if __name__ == "__main__":
    if not sys.flags.safe_path and sys.path:
        del sys.path[0]
    main()
