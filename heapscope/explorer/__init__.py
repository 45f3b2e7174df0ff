"""The heap in a browser: the same answers as pages, served on loopback (``heapscope explore``).

Nothing is analysed here: the pages call the functions that the command line and Python call.
"""
