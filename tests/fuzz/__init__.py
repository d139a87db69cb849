"""A fuzzer for all that comes from outside. `python -m tests.fuzz --help` says how it is run.

Input k of a surface is a function of the seed, the surface and k, so a run can be interrupted, resumed and repeated.
Half of the inputs are valid ones, changed a little by somebody who knows the grammar; the rest is further off.
"""
