"""Columns of the table of pairs, with their meaning."""

from results.scores.power import MOST

NOT_TESTED, ESTIMATE = "not tested", "search estimate"
"""Verdicts of pairs without a test: the seeds chose a cell of it, or a cell was not retrained."""

COLUMNS = {
    "cell": "name, or else shortened id",
    "other": "the cell that it is compared with",
    "task": "name of the task",
    "simulated": "True in every row of a simulated run: its numbers are made up, nothing was trained; else False",
    "value": "mean test metric of the cell; of a search estimate, the best validation metric",
    "other_value": "the same of the other cell",
    "difference": "mean difference, above 0 if the cell is better",
    "low": "lower end of its 95 % interval by Student's t, not corrected",
    "high": "upper end of that interval",
    "unit": "unit of the difference. gain: share of the GRU's gain over the constant baseline; where the run did not "
    "store that baseline, or where the gain is within its noise, metric: share of the other cell's metric, or the unit "
    "of the metric if that may be negative, such as nats per step",
    "seeds": "number of seeds; 0 for a search estimate",
    "lost": "number of these on which the cell diverged or failed; they count as the constant baseline",
    "other_lost": "the same of the other cell",
    "p": "p value of the paired t-test, corrected by Holm's method over all tests of the table",
    "even_p": "p value of the test that the difference is within the margin, corrected in the same way",
    "margin": "margin within which two cells are even; empty where the unit has none",
    "verdict": f"better, worse, even or undecided; {NOT_TESTED}: these seeds chose one of the cells; {ESTIMATE}: a "
    "cell was not retrained",
    "needed": "number of seeds that would probably decide an undecided test; empty if it is decided, or if that is "
    f"more than {MOST:,}",
    "cell_id": "whole id of the cell",
    "other_id": "whole id of the other cell",
}
"""Columns of the table."""
