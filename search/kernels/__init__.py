"""How a gate graph is run over a sequence: the plan, the fast paths, and the slow reference beside them."""
