"""Whether an agent gets to the cause: a script asks as an agent would, and is held against the truth.

Run ``python -m benchmarks.agent --help``.
"""
