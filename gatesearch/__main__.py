"""`python -m gatesearch`: the command line, as the installed command `gatesearch` runs it.

Python puts the working directory first on the import path of `python -m`. It is removed before anything is imported,
so that a user's own `random.py` or `search.py` there is never imported in place of the standard library's or of this
package's.
"""

import sys

if __name__ == "__main__":
    if not sys.flags.safe_path and sys.path:
        del sys.path[0]
        sys.path.append(__file__.rpartition("/gatesearch/")[0])  # last, for a checkout that is not installed
    from search.cli.main import main

    main()
