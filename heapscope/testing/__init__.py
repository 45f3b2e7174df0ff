"""Guards on the heap in a test suite: the pytest plugin, and the same without pytest.

The plugin is found by its entry point.  Nothing heavy is imported here, nor by `plugin`, before a test asks.
"""
