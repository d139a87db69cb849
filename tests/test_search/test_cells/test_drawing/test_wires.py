"""Vertical lines between two columns of a drawing."""

from __future__ import annotations

from search.cells.drawing.wires import Net, tracks


def test_verticals_are_ordered_so_that_no_line_lies_on_another() -> None:
    # Each goes to where the next one starts, so the next one has to be left of it.
    nets = [Net(0, 0, (20,)), Net(1, 20, (40,)), Net(2, 40, (60,)), Net(3, 80, (80,))]
    found = tracks(nets)
    assert found[0] > found[1] > found[2]
    assert 3 not in found


def test_a_line_moves_past_several_others_if_that_keeps_it_off_one() -> None:
    # The last one has to be right of the first, and exchanging neighbours alone never gets it there.
    nets = [
        Net(16, 218, (256,)),
        Net(20, 365, (371,)),
        Net(21, 394, (391,)),
        Net(31, 77, (117,)),
        Net(6, 255, (287,)),
        Net(2, 192, (157, 236)),
        Net(15, 137, (54, 137, 216)),
    ]
    found = tracks(nets)
    assert found[16] > found[6]
