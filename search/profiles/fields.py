"""Types of the fields of a profile, with their ranges."""

from typing import Annotated

from pydantic import ConfigDict, Field

CONFIG = ConfigDict(extra="forbid", allow_inf_nan=False)
"""Rules of every section: an unknown key is an error, and so is a number that is not finite."""

Count = Annotated[int, Field(ge=1, le=10_000_000)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0, le=1e6)]
Weight = Annotated[float, Field(ge=0.0, le=1000.0)]
Scalar = bool | int | float | str
