"""Print the lowest version that pyproject.toml allows of each light dependency, as constraints for pip.

Heavy packages are left to pip: their old releases are large downloads.
"""

import tomllib
from pathlib import Path

from packaging.requirements import Requirement

PROJECT = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text("utf-8"))["project"]
HEAVY = {"torch", "ray", "llvmlite", "music21", "vl-convert-python"}


def main() -> None:
    for line in PROJECT["dependencies"]:
        requirement = Requirement(line)
        if requirement.name not in HEAVY:
            (floor,) = (bound.version for bound in requirement.specifier if bound.operator == ">=")
            print(f"{requirement.name}=={floor}")


if __name__ == "__main__":
    main()
