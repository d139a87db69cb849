"""A profile whose search takes a second, for tests of whole commands."""

TINY = """
[search]
proposals = 6
window = 2
reexamine = 0.3
baselines = ["tanh", "lstm", "gru"]
[grid]
scales = [1.0]
learning_rates = [0.3]
max_norms = [2.5]
layers = [1]
[finalists]
cells = 2
repeats = 2
[confirmation]
contenders = 0
[memorization]
accuracy = 0.0
parameters = [8000]
options = { length = 2, validation = 300, test = 300 }
schedule = { epoch_steps = 5, epochs = 2, halvings = 1, chance_epochs = 2 }
[tasks.xml]
threshold = 0.0
settings = 1
baseline_settings = 1
parameters = [8000]
options = { min_letters = 1, max_letters = 2, validation = 400, test = 400 }
schedule = { epoch_steps = 5, epochs = 2, halvings = 1, chance_epochs = 4 }
[tasks.arithmetic]
threshold = 0.0
settings = 1
baseline_settings = 1
parameters = [8000]
options = { digits = 1, validation = 400, test = 400 }
schedule = { epoch_steps = 5, epochs = 2, halvings = 1, chance_epochs = 4 }
"""
"""A search of a second: both kinds of proposals, and no gate that closes."""

PLAN = """
profile = "tiny.toml"
seeds = [0, 1]
trainings = 2
confirm = 2
[methods.paper]
search.strategy = "paper"
[methods.random]
search.strategy = "random"
"""
"""A comparison of two strategies over `tiny.toml`."""
