"""Many dumps: where they lie, reduced to sketches on Dask, and what tells the leaking from the healthy."""
