"""The CPU that code is generated for, against what PyTorch and Python say of it."""

import pytest

from search.kernels.codegen.host import Host, host
from tests.test_search.test_kernels.hosts import HOSTS, expected_width


def test_machine_code_is_made_wherever_the_cpu_has_fused_multiply_add() -> None:
    found = host()
    assert (found is not None) == (expected_width() > 0)
    if found is not None:
        assert found.width >= expected_width()
        assert found.registers == (16 if found.width == 8 else 32)


def test_tests_of_machine_code_run_wherever_it_is_made() -> None:
    assert any(isinstance(parameter.values[0], Host) for parameter in HOSTS) == (expected_width() > 0)


@pytest.mark.parametrize(("width", "bits"), [(4, 128), (8, 256), (16, 512)])
def test_attributes_ask_for_vectors_of_the_full_width(width: int, bits: int) -> None:
    attributes = Host(width, 32, "", "").attributes
    assert attributes == f'nounwind "min-legal-vector-width"="{bits}" "prefer-vector-width"="{bits}"'
