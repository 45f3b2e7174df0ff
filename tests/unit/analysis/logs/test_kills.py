"""Processes that were ended for their memory, as those who ended them write it.

The texts are made for these tests, in the forms of the sources named in ``heapscope/analysis/logs/kinds``.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from heapscope.analysis.logs.events import LogEvent
from heapscope.analysis.logs.reading import read_log
from heapscope.analysis.logs.summary import LogSummary, summarise


def events(folder: Path, text: str) -> list[LogEvent]:
    path = folder / "a.log"
    path.write_text(text.strip("\n") + "\n", "utf-8")
    return list(read_log(path))


def summary(folder: Path, text: str) -> LogSummary:
    path = folder / "a.log"
    path.write_text(text.strip("\n") + "\n", "utf-8")
    return summarise([path])


NM = "org.apache.hadoop.yarn.server.nodemanager.containermanager"
YARN_28 = f"""
2017-03-01 10:00:00,123 WARN {NM}.monitor.ContainersMonitorImpl: Container [pid=4711,containerID=container_1488_0001_01_000002] is running beyond physical memory limits. Current usage: 2.1 GB of 2 GB physical memory used; 4.0 GB of 4.2 GB virtual memory used. Killing container.
Dump of the process-tree for container_1488_0001_01_000002 :
2017-03-01 10:00:00,150 INFO {NM}.monitor.ContainersMonitorImpl: Removed ProcessTree with root 4711
2017-03-01 10:00:00,400 WARN org.apache.hadoop.yarn.server.nodemanager.DefaultContainerExecutor: Exit code from container container_1488_0001_01_000002 is : 143
"""
YARN_33 = f"""
2026-11-02 03:14:15,901 WARN {NM}.monitor.ContainersMonitorImpl (Container Monitor): Container [pid=20412,containerID=container_e17_1761_0042_01_000007] is running 629129856B beyond the 'VIRTUAL' memory limit. Current usage: 288.8 MB of 1 GB physical memory used; 2.5 GB of 2.1 GB virtual memory used. Killing container.
"""
YARN_CGROUP = f"""
2026-11-02 03:14:15,901 WARN {NM}.monitor.ContainersMonitorImpl: container_e17_1761_0042_01_000009 is under oom because it exceeded its physical memory limit
"""
SPARK_3 = """
26/11/02 03:14:17 ERROR YarnScheduler: Lost executor 7 on w3: ExecutorLostFailure (executor 7 exited caused by one of the running tasks) Reason: Container killed by YARN for exceeding physical memory limits. 5.1 GB of 5 GB physical memory used. Consider boosting spark.executor.memoryOverhead.
26/11/02 03:14:17 WARN TaskSetManager: Lost task 12.0 in stage 4.0 (TID 512) (w3 executor 7): ExecutorLostFailure (executor 7 exited caused by one of the running tasks) Reason: Container killed by YARN for exceeding physical memory limits. 5.1 GB of 5 GB physical memory used. Consider boosting spark.executor.memoryOverhead.
26/11/02 03:20:00 ERROR YarnScheduler: Lost executor 9 on w4: Container killed by YARN for exceeding virtual memory limits. 10.6 GB of 10.5 GB virtual memory used. Consider boosting spark.executor.memoryOverhead or boosting yarn.nodemanager.vmem-pmem-ratio or disabling yarn.nodemanager.vmem-check-enabled because of YARN-4714.
"""
SPARK_137 = """
26/11/02 03:15:17 WARN YarnSchedulerBackend$YarnSchedulerEndpoint: Requesting driver to remove executor 3 for reason Container from a bad node: container_1_0042_01_000009 on host: w4. Exit status: 137. Diagnostics: [2026-11-02 03:15:16.100]Container killed on request. Exit code is 137
[2026-11-02 03:15:16.101]Container exited with a non-zero exit code 137.
[2026-11-02 03:15:16.102]Killed by external signal
.
"""
SPARK_K8S = """
26/11/02 03:15:17 ERROR TaskSchedulerImpl: Lost executor 13 on 10.0.0.7:
The executor with id 13 exited with exit code 137(SIGKILL, possible container OOM).

The API gave the following container statuses:

	 container name: spark-kubernetes-executor
	 container state: terminated
	 container started at: 2026-11-02T01:00:00Z
	 container finished at: 2026-11-02T03:15:16Z
	 exit code: 137
	 termination reason: OOMKilled
26/11/02 03:15:17 WARN TaskSetManager: Lost task 0.0 in stage 1.0 (TID 9) (10.0.0.7 executor 13): ExecutorLostFailure (executor 13 exited caused by one of the running tasks) Reason:
The executor with id 13 exited with exit code 137(SIGKILL, possible container OOM).
"""
K8S_YAML = """
apiVersion: v1
kind: Pod
metadata:
  labels:
    app: pricing
  name: pricing-0
  namespace: shop
spec:
  containers:
  - image: x
    name: pricing
    resources:
      limits:
        cpu: "2"
        memory: 2Gi
      requests:
        memory: 1Gi
status:
  containerStatuses:
  - containerID: containerd://0f
    lastState:
      terminated:
        containerID: containerd://0e
        exitCode: 137
        finishedAt: "2026-11-02T03:19:59Z"
        reason: OOMKilled
        startedAt: "2026-11-02T01:00:00Z"
    name: pricing
    ready: true
    restartCount: 6
"""
K8S_JSON = """
{
    "metadata": {
        "name": "pricing-0"
    },
    "status": {
        "containerStatuses": [
            {
                "lastState": {
                    "terminated": {
                        "exitCode": 137,
                        "finishedAt": "2026-11-02T03:19:59Z",
                        "reason": "OOMKilled",
                        "startedAt": "2026-11-02T01:00:00Z"
                    }
                },
                "name": "pricing",
                "restartCount": 6
            }
        ]
    }
}
"""
K8S_LINE = (
    '{"kind":"Pod","metadata":{"name":"pricing-0"},"status":{"containerStatuses":[{"name":"pricing","restartCount":6,'
    '"lastState":{"terminated":{"exitCode":137,"reason":"OOMKilled","finishedAt":"2026-11-02T03:19:59Z"}}}]}}'
)
K8S_LIST = """
NAMESPACE   NAME        READY   STATUS      RESTARTS      AGE
shop        pricing-0   0/1     OOMKilled   6 (10m ago)   3h
shop        orders-0    1/1     Running     0             3h
"""
K8S_EVENTS = """
LAST SEEN   TYPE      REASON       OBJECT          MESSAGE
3m26s       Warning   Evicted      pod/pricing-0   The node was low on resource: memory. Container pricing was using 1924152Ki, which exceeds its request of 0.
53m         Warning   SystemOOM    node/worker-1   System OOM encountered, victim process: java, pid: 9295
2s          Warning   OOMKilling   node/worker-1   Memory cgroup out of memory: Killed process 3103923 (java) total-vm:8412332kB, anon-rss:2097152kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:1kB oom_score_adj:985
"""
CONTAINERD = (
    'Nov 02 03:14:43 n1 containerd[2723]: time="2026-11-02T03:14:43.578084676Z" level=info '
    r'msg="TaskOOM event container_id:\"9192cb33411ff69d015a3577db136757\""'
)
CF = """
2026-11-02T03:14:16.95+0000 [CELL/0] OUT APP/PROC/WEB: Exited with status 137 (out of memory)
2026-11-02T03:14:16.95+0000 [CELL/SSHD/0] OUT Exit status 0
2026-11-02T03:14:16.99+0000 [API/0] OUT Process has crashed with type: "web", exit_description: APP/PROC/WEB: Exited with status 137 (out of memory)
"""
SYSTEMD = """
Nov 02 03:14:15 host systemd[1]: pricing.service: A process of this unit has been killed by the OOM killer.
Nov 02 03:14:15 host systemd[1]: pricing.service: Main process exited, code=killed, status=9/KILL
Nov 02 03:14:15 host systemd[1]: pricing.service: Failed with result 'oom-kill'.
"""
OOMD = """
Nov 02 03:14:15 host systemd-oomd[939]: Killed /system.slice/pricing.service due to memory pressure for /system.slice being 82.36% > 80.00% for > 20s with reclaim activity
Nov 02 03:14:15 host systemd[1]: pricing.service: systemd-oomd killed 19 process(es) in this unit.
Nov 02 03:14:16 host systemd[1]: pricing.service: Failed with result 'oom-kill'.
"""
OOMD_258 = (
    "2026-11-02T03:14:15+0100 host systemd-oomd[939]: Marked /user.slice/x.scope for killing due to memory used "
    "(16000000000) / total (16500000000) and swap used (8000000000) / total (8000000000) being more than 90.00%"
)
SLURM = """
slurmstepd: error: Detected 1 oom_kill event in StepId=22035606.batch. Some of the step tasks have been OOM Killed.
srun: error: nid005475: task 0: Out Of Memory
"""
SLURM_19 = (
    "slurmstepd: error: Detected 2 oom-kill event(s) in step 7.batch cgroup. Some of your processes may have been "
    "killed by the cgroup out-of-memory handler."
)
SLURM_LIMIT = "slurmstepd: error: StepId=7.batch exceeded memory limit (734003200 > 52428800), being killed"
DOCKER_INSPECT = """
[
    {
        "Id": "0f0f",
        "State": {
            "Status": "exited",
            "OOMKilled": true,
            "Dead": false,
            "ExitCode": 137,
            "FinishedAt": "2026-11-02T03:19:59.1Z"
        },
        "Name": "/pricing",
        "RestartCount": 2,
        "HostConfig": {
            "Memory": 2147483648,
            "MemorySwap": 4294967296
        }
    }
]
"""
DOCKER_EVENTS = """
2026-11-02T03:19:59.100000000+00:00 container oom 0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f (image=pricing:1.2, name=pricing)
2026-11-02T03:19:59.200000000+00:00 container die 0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f (execDuration=9, exitCode=137, image=pricing:1.2, name=pricing)
"""
WRAPPER = """
INFO   | jvm 1    | 2026/11/02 03:14:15 | java.lang.OutOfMemoryError: Java heap space
INFO   | jvm 1    | 2026/11/02 03:14:15 | 	at com.acme.Rows.add(Rows.java:3)
STATUS | wrapper  | 2026/11/02 03:14:15 | The JVM has run out of memory.  Restarting JVM.
STATUS | wrapper  | 2026/11/02 03:14:20 | Launching a JVM...
"""
WRAPPER_KILL = """
ERROR  | wrapper  | 2026/11/02 03:14:15 | JVM received a signal SIGKILL (9).
STATUS | wrapper  | 2026/11/02 03:14:15 | JVM process is gone.
ERROR  | wrapper  | 2026/11/02 03:14:15 | JVM exited unexpectedly.
"""


@pytest.mark.parametrize(
    ("text", "kinds", "victim", "usage", "limit"),
    [
        (YARN_28, {"yarn memory kill": 1}, "container_1488_0001_01_000002", "2.1 GB", "2 GB"),
        (YARN_33, {"yarn memory kill": 1}, "container_e17_1761_0042_01_000007", "2.5 GB", "2.1 GB"),
        (YARN_CGROUP, {"yarn memory kill": 1}, "container_e17_1761_0042_01_000009", "", ""),
        (SPARK_3, {"yarn memory kill": 2}, "executor 7", "5.1 GB", "5 GB"),
        (SPARK_137, {"yarn container ended": 1}, "container_1_0042_01_000009", "", ""),
        (SPARK_K8S, {"spark executor killed": 1}, "executor 13", "", ""),
        (K8S_YAML, {"kubernetes oom kill": 1}, "pricing-0, container pricing", "", "2Gi"),
        (K8S_JSON, {"kubernetes oom kill": 1}, "pricing-0, container pricing", "", ""),
        (K8S_LINE, {"kubernetes oom kill": 1}, "pricing-0, container pricing", "", ""),
        (K8S_LIST, {"kubernetes oom kill": 1}, "pricing-0", "", ""),
        (K8S_EVENTS, {"kubernetes eviction": 1, "node out of memory": 1, "oom killer": 1}, "pricing", "1924152Ki", ""),
        (CONTAINERD, {"node out of memory": 1}, "9192cb33411ff69d015a3577db136757", "", ""),
        (CF, {"cloud foundry out of memory": 1}, "APP/PROC/WEB", "", ""),
        (SYSTEMD, {"systemd oom kill": 1}, "pricing.service", "", ""),
        (OOMD, {"systemd oom kill": 1}, "pricing.service", "", ""),
        (OOMD_258, {"systemd oom kill": 1}, "x.scope", "16.0 GB", "16.5 GB"),
        (SLURM, {"slurm oom kill": 1}, "22035606.batch", "", ""),
        (SLURM_19, {"slurm oom kill": 1}, "7.batch", "", ""),
        (SLURM_LIMIT, {"slurm oom kill": 1}, "7.batch", "", ""),
        (DOCKER_INSPECT, {"container oom kill": 1}, "pricing", "", "2,147,483,648 bytes"),
        (DOCKER_EVENTS, {"container oom kill": 1}, "pricing", "", ""),
        (WRAPPER, {"service wrapper restart": 1, "out of memory error": 1}, "", "", ""),
        (WRAPPER_KILL, {"service wrapper restart": 1}, "", "", ""),
    ],
)  # fmt: skip
def test_a_kill_is_one_event_with_who_and_how_much(
    tmp_path: Path, text: str, kinds: dict[str, int], victim: str, usage: str, limit: str
) -> None:
    found = summary(tmp_path, text)
    assert {group.kind.id: group.count for group in found.groups} == kinds
    (first, *_) = [event for group in found.groups for event in group.events if group.kind.id == next(iter(kinds))]
    assert (first.victim, first.usage, first.limit) == (victim, usage, limit)
    assert bool(found.kill_count) == ("yarn container ended" not in kinds)


@pytest.mark.parametrize(
    ("line", "kind", "detail"),
    [
        ("2026-11-02T03:14:15Z app[web.1]: Error R14 (Memory quota exceeded)", "heroku memory quota", "R14 (Memory quota exceeded)"),
        ("Memory limit of 512 MiB exceeded with 515 MiB used. Consider increasing the memory limit", "cloud run memory limit", ""),
        ("OutOfMemoryError: Container killed due to memory usage", "ecs out of memory", ""),
        ("RequestId: 1 Error: Runtime exited with error: signal: killed", "lambda out of memory", ""),
        ('Nov 2 Terminated  Exit Code: 137, Exit Message: "OOM Killed"', "nomad oom kill", "exit code 137"),
        ("Memory limit exceeded: Requested: 32MB Maximum Used: 32MB", "mesos memory limit", ""),
        ("TERM_MEMLIMIT: job killed after reaching LSF memory usage limit.", "batch memory limit", "TERM_MEMLIMIT: job killed after reaching LSF memory usage limit"),
        ("=>> PBS: job killed: mem 2097152kb exceeded limit 1048576kb", "batch memory limit", ""),
        ('sending SIGTERM to process 1234 uid 1000 "java": badness 900, VmRSS 5000 MiB', "early oom", "SIGTERM"),
        ("distributed.nanny - WARNING - Worker tcp://10.0.0.1:4000 (pid=3) exceeded 95% memory budget. Restarting...", "ray or dask memory", "95% memory budget"),
        ("Terminating due to java.lang.OutOfMemoryError: Java heap space", "jvm ended itself", "Java heap space"),
        ("oom_kill 3", "cgroup oom kill counter", ""),
        ("/app/start.sh: line 3:     7 Killed                  java -jar app.jar", "killed by signal", ""),
        ("app-1 exited with code 137", "killed by signal", "exit code 137"),
        ("0f0f   pricing:1.2   Exited (137) 3 minutes ago   pricing", "killed by signal", "exit code 137"),
        ("Nov 02 03:14:15 h systemd[1]: a.service: Main process exited, code=killed, status=9/KILL", "killed by signal", ""),
        ("2026-11-02 ERROR Total size of serialized results of 10 tasks (1024.1 MB) is bigger than spark.driver.maxResultSize (1024.0 MB)", "spark result too large", "10 tasks"),
        ("java.io.IOException: Insufficient number of network buffers: required 33, but only 3 available.", "flink memory", "Insufficient number of network buffers"),
        ("ResourceExhaustedError: OOM when allocating tensor with shape[64,1024] and type float", "tensorflow out of memory", "OOM when allocating tensor"),
        ("terminate called after throwing an instance of 'std::bad_alloc'", "python out of memory", "terminate called after throwing an instance of 'std::bad_alloc'"),
        ("OpenJDK 64-Bit Server VM warning: CodeCache is full. Compiler has been disabled.", "code cache full", "CodeCache"),
        ("Could not reserve enough space for 4194304KB object heap", "heap not reserved", ""),
        ("2026-11-02 INFO JvmPauseMonitor: Detected pause in JVM or host machine (eg GC): pause of approximately 14204ms", "gc pause detected", "14204ms"),
    ],
)  # fmt: skip
def test_one_line(tmp_path: Path, line: str, kind: str, detail: str) -> None:
    (event,) = events(tmp_path, line)
    assert event.kind == kind
    assert event.detail == detail or not detail


def test_a_kill_counts_again_when_it_is_another_one(tmp_path: Path) -> None:
    later = YARN_28.replace("10:00:00", "14:00:00")
    found = summary(tmp_path, YARN_28 + later.strip())
    assert [(group.kind.id, group.count) for group in found.groups] == [("yarn memory kill", 2)]
    other = YARN_28.replace("000002", "000003").replace("4711", "4712")
    assert summary(tmp_path, YARN_28 + other.strip()).kill_count == 2


PROSE = [
    "If you see java.lang.OutOfMemoryError: Java heap space, raise -Xmx.",
    "// throws java.lang.OutOfMemoryError: Java heap space",
    " * @throws java.lang.OutOfMemoryError if the array does not fit",
    "INFO handler registered for java.lang.OutOfMemoryError",
    'throw new java.lang.OutOfMemoryError("Java heap space");',
    "} catch (java.lang.OutOfMemoryError e) {",
    "JAVA_OPTS=-XX:+HeapDumpOnOutOfMemoryError -XX:OnOutOfMemoryError=kill",
    "java.lang.OutOfMemoryError is thrown when the heap is full",
    "- `OOMKilled` means that the container used more than its limit (exit code 137).",
    "Exit code 137 means that the process was killed.",
    "The container was OOMKilled",
    "the OOM killer ended our process yesterday, said the operator",
    "Killed process means the kernel's OOM killer was at work",
    "log.warn(\"Container killed by YARN for exceeding memory limits. \" + message);",
    "| 137 | OOMKilled (Out of memory) |",
    "echo 'Memory cgroup out of memory' >> notes",
    "Consider boosting spark.executor.memoryOverhead.",
    "2026-11-02 03:14:15 INFO memory: usage is fine, limit is 4 GB",
    '"OOMKilled": false,',
    "        reason: Completed",
    "std::bad_alloc is what new throws",
    "We raised the memory limit of the job after the weekend.",
    "Dumping heap is slow",
    "oom_kill 0",
    "2026-11-02 INFO [gc] Pause Full collections are bad",
    "Unable to create /tmp/x: Permission denied",
    "Slurm says OUT_OF_MEMORY for such jobs",
    "    raise MemoryError",
    "2026-11-02 03:14:15 WARN Metaspace is filling",
]  # fmt: skip


@pytest.mark.parametrize("line", PROSE)
def test_prose_is_no_event(tmp_path: Path, line: str) -> None:
    assert events(tmp_path, f"2026-11-02 03:00:00 INFO before\n{line}\n2026-11-02 03:00:01 INFO after") == []
