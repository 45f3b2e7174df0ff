"""The incident on one's own machine: a parameter server and workers that leak exactly as libhdfs does.

`hadoop` finds a JVM and Hadoop's jars, `cluster` starts and stops the processes, `worker` is what they
run.  ``heapscope demo`` runs and explains it.
"""
