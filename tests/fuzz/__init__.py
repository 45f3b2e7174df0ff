"""Fuzzing: every parser against bytes that nobody wrote on purpose.

::

    make fuzz                                           # a minute, all targets
    make fuzz FUZZ_OPTIONS="hprof --seconds 1800"       # one target for half an hour
    .venv/bin/python -m tests.fuzz --list

`targets` says what each target promises and has seeds of every format variant; `engine` changes them.
With atheris installed (``pip install -e '.[fuzz]'``) ``--engine atheris`` is guided by coverage of the Python
code, and with ``NUMBA_DISABLE_JIT=1`` by that of the kernels, too.  What fails is kept in ``build/fuzz``.
"""
