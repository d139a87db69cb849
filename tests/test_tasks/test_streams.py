"""Columns and windows of a contiguous stream, compared with plain loops."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.streams import columns, windows


@settings(deadline=None)
@given(count=st.integers(2, 60), batch=st.integers(1, 9), steps=st.integers(1, 9))
def test_every_symbol_but_the_first_is_predicted_once_after_its_predecessor(count: int, batch: int, steps: int) -> None:
    cut = columns(np.arange(count, dtype=np.int32), batch)
    predicted = []
    for number, window in enumerate(windows(*cut, steps)):
        assert window.starts == (number == 0)
        assert len(window.inputs) <= steps
        for read, following, counts in zip(
            window.inputs.ravel(), window.targets.ravel(), window.loss_mask.ravel(), strict=True
        ):
            if counts:
                assert following == read + 1
                predicted.append(int(following))
    assert sorted(predicted) == list(range(1, count))


def test_windows_follow_each_other() -> None:
    symbols = np.array([[1, 2, 3, 4, 5, 6], [11, 12, 13, 14, 15, 16]])
    loss_mask = np.array([[1, 0, 1, 0, 1, 0], [0, 0, 0, 1, 1, 1]], np.float32)
    first, second = windows(symbols, loss_mask, 3, starts=False)
    assert first.inputs.tolist() == [[1, 11], [2, 12], [3, 13]]
    assert first.targets.tolist() == [[2, 12], [3, 13], [4, 14]]
    assert first.loss_mask.tolist() == [[0, 0], [1, 0], [0, 1]]
    assert second.inputs.tolist() == [[4, 14], [5, 15]]
    assert second.targets.tolist() == [[5, 15], [6, 16]]
    assert second.loss_mask.tolist() == [[1, 1], [0, 1]]
    assert not first.starts
    assert not second.starts
