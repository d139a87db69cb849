"""Run the commands of docs/cluster.md on this machine: start Ray, search on it, stop it.

Run it alone: the page's `ray stop` ends every Ray process of the user.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
sys.path.insert(0, str(ROOT))

from tests.docs_pages import DOCS, run_page  # noqa: E402


def gatesearch(words: list[str]) -> tuple[int, str]:
    """Run the installed command."""
    done = subprocess.run([BIN / "gatesearch", *words], capture_output=True, text=True, timeout=300, check=False)
    return done.returncode, done.stdout + done.stderr


def main() -> None:
    os.environ.pop("GATESEARCH_RUNS", None)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        os.environ["HOME"] = folder  # without the token of an earlier Ray, which a cluster demands of all nodes
        try:
            done = run_page((DOCS / "cluster.md").read_text("utf-8"), Path(folder), gatesearch)
            print(f"docs/cluster.md: {len(done)} commands ran as documented")
        finally:
            os.chdir(ROOT)
            subprocess.run([BIN / "ray", "stop", "--force"], capture_output=True, timeout=120, check=False)


if __name__ == "__main__":
    main()
