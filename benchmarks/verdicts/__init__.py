"""Verdicts against the truth: real programs that leak or do not, and what heapscope says of them.

Run ``python -m benchmarks.verdicts --help``.
"""
