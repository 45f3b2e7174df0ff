"""Verdicts of ``heapscope watch`` on real programs whose growth is known."""
