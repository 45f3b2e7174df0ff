"""SQL over one heap or many, and heaps as files for other programs.

The engine is DuckDB; what it reads are Arrow tables over the arrays of the index, most of them without a
copy.  `heapscope.query.session` answers a query, `heapscope.query.catalogue` says which tables there are.
"""
