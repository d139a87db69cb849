"""Plan a cell's computation: phases, adjoints, and the program of instructions."""
