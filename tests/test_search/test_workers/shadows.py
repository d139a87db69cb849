"""A working directory full of files that are named like modules, and record it if they are imported."""

from pathlib import Path

NAMES = (
    "tasks.py",
    "search.py",
    "search/__init__.py",
    "results.py",
    "gatesearch.py",
    "xml.py",
    "random.py",
    "json.py",
    "torch.py",
    "numpy.py",
    "psutil.py",
    "click.py",
    "sitecustomize.py",
)


def write_shadows(folder: Path, record: Path, without: tuple[str, ...] = ()) -> None:
    """Write the files into a folder. Each of them appends its path to `record` when it is imported, and fails."""
    for name in NAMES:
        if name not in without:
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"open({str(record)!r}, 'a').write(__file__ + '\\n')\nraise RuntimeError('imported')\n")


def imported(record: Path) -> list[str]:
    """Return the files that were imported."""
    return record.read_text().splitlines() if record.exists() else []
