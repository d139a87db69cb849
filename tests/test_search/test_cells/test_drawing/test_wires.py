"""Vertical lines between two columns of a drawing."""

from __future__ import annotations

from search.cells.drawing.wires import Net, tracks


def test_verticals_are_ordered_so_that_no_line_lies_on_another() -> None:
    # Each goes to where the next one starts, so the next one has to be left of it.
    nets = [Net(0, 0, (20,)), Net(1, 20, (40,)), Net(2, 40, (60,)), Net(3, 80, (80,))]
    found = tracks(nets)
    assert found[0] > found[1] > found[2]
    assert 3 not in found
