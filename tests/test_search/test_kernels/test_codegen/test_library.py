"""The modules of shared functions: what they define, and what a command buffer may call."""

import re

import pytest

from search.kernels.codegen.gemm import GEMM
from search.kernels.codegen.host import Host
from search.kernels.codegen.library import CALLABLE, KERNELS, kernels_text, library_text


@pytest.mark.parametrize("width", [4, 8, 16])
def test_every_callable_function_takes_one_pointer_and_returns_an_integer(width: int) -> None:
    defined = re.findall(r"^define i64 @(\w+)\(ptr %\w+\) ", library_text(Host(width, 32, "", "")), re.M)
    assert set(CALLABLE) <= set(defined)
    assert len(CALLABLE) == len(set(CALLABLE))


@pytest.mark.parametrize("width", [4, 8, 16])
def test_kernels_are_defined_with_the_arguments_that_the_library_declares(width: int) -> None:
    host = Host(width, 32, "", "")
    kernels, library = kernels_text(host), library_text(host)
    for name, kinds in KERNELS.items():
        defined = re.search(rf"^define void @{name}{width if name == GEMM else ''}\((.*?)\) #0", kernels, re.M)
        declared = re.search(rf"^declare void @{name}{width}\((.*?)\)$", library, re.M)
        assert defined is not None
        assert declared is not None
        types = [argument.split()[0] for argument in defined[1].split(", ")]
        assert types == declared[1].split(", ") == [{"i": "i64", "p": "ptr"}[kind] for kind in kinds]


def test_vectors_have_the_width_of_the_host_or_1_for_the_rest_of_an_array() -> None:
    for width in (4, 8, 16):
        text = kernels_text(Host(width, 32, "", "")) + library_text(Host(width, 32, "", ""))
        assert set(re.findall(r"<(\d+) x float>", text)) == {str(width), "1"}
