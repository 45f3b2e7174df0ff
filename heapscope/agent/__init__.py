"""Answers for programs that ask: tools of the Model Context Protocol over standard input and output.

::

    server ──JSON lines──▶ worker ──▶ series_answers, heap_answers, log_answers ──▶ Answer

The server (`server`) speaks the protocol and computes nothing.  A process of its own (`worker`) reads dumps:
where it ends for want of memory, an answer ends, and not the server.  Which files may be read says `scope`,
what may be said `disclosure`, how much of it `answer`.
"""
