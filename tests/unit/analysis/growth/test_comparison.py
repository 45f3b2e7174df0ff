"""Two runs against each other, and proofs of a cure: on series of known truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from heapscope.analysis.snapshots import Snapshots
from heapscope.analysis.verdicts import GONE
from heapscope.errors import HeapscopeError
from tests.unit.reporter.series import series

LEAK = "org.app.Session"


def run(classes: Mapping[str, Sequence[int]], hours: float = 1) -> Snapshots:
    return series(
        {name: (counts, 100) for name, counts in classes.items()}, step=timedelta(hours=hours), facts=None
    )


LEAKS = run({LEAK: (100, 200, 300, 400), "java.lang.String": (5000, 5100, 5200, 5300)})


@pytest.mark.parametrize(
    ("after", "verdict", "reason"),
    [
        ((50, 43, 57, 50), "fixed", r"org.app.Session grew before, and now does not: \+0 .* gives \+300"),
        ((50, 44, 53, 49), "fixed", "-1 instances"),
        ((50, 59, 51), "fixed", "grew before"),
        ((50, 50, 50, 50), "too early to tell", "nothing shows that the program did the same work"),
        ((700, 700, 700, 700), "too early to tell", "comes and goes"),  # worked, leaked, and stands idle
        ((50, 50, 51, 51), "too early to tell", "comes and goes"),  # the same, with one request
        ((0, 0, 0, 15), "too early to tell", r"may still grow: \+15"),  # begins to work
        ((10, 20, 30), "too early to tell", r"may still grow: \+20"),  # leaks under a tenth of the load
        ((50, 150, 250, 350), "not fixed", r"org.app.Session still grows: \+300 instances .* gives \+300"),
        ((50, 60, 70, 80), "not fixed", r"\+30 instances where the rate of before gives \+300"),
        ((50, 150, 250), "not fixed", "still grows"),
        ((50, 50), "too early to tell", "2 snapshots after the cure; 3 are the least"),
        ((50, 90, 60), "too early to tell", r"org.app.Session may still grow: \+10 instances .*; take more"),
        ((50, 90, 50, 95, 60), "too early to tell", "may still grow"),
    ],
)
def test_proof_of_a_cure(after: tuple[int, ...], verdict: str, reason: str) -> None:
    import re

    proof = LEAKS.prove(run({LEAK: after, "java.lang.String": (5000,) * len(after)}))
    assert proof.verdict == verdict
    assert re.search(reason, proof.reason), proof.reason
    assert proof.is_fixed == (verdict == "fixed")
    assert [one.name for one in proof.decisive] == [LEAK]  # a String decides nothing
    assert len(proof.to_frame()) == 1


@pytest.mark.parametrize(
    ("after", "verdict"),
    [
        ({"java.lang.String": (5, 5, 5, 5)}, "too early to tell"),  # an idle program has none either
        ({"org.app.Main": (1, 1, 1, 1)}, "too early to tell"),  # what every run has proves no work
        ({LEAK: (2, 2, 2, 2), "org.app.Main": (1, 1, 1, 1)}, "too early to tell"),
        ({"org.app.Request": (50, 50, 50, 50)}, "too early to tell"),  # made once, and kept
        ({"java.lang.String": (5, 50, 5, 50)}, "too early to tell"),  # an idle JVM makes garbage too
        ({"com.other.Buffer": (5, 500, 5, 300)}, "fixed"),  # something varies with the load
        ({"org.app.Heartbeat": (3, 9, 2, 8)}, "too early to tell"),  # of an idle program
        ({"com.other.Buffer": (5, 15, 30, 50)}, "too early to tell"),  # may be the leak by another name
        ({"com.other.Buffer": (5, 50, 50, 500)}, "too early to tell"),
    ],
)
def test_what_an_idle_program_has_proves_nothing(after: Mapping[str, Sequence[int]], verdict: str) -> None:
    proof = LEAKS.prove(run(after))
    assert proof.verdict == verdict
    assert [one.name for one in proof.decisive] == [LEAK]


def test_less_load_than_before_proves_nothing() -> None:
    request, job = "org.app.Request", "org.app.Job"
    before = run({LEAK: (100, 200, 300, 400), request: (400, 100, 500, 200), job: (40, 20, 60, 10)})
    for after, verdict in (
        ({request: (300, 100, 450, 200), job: (50, 20, 60, 10)}, "fixed"),
        ({request: (300, 100, 450, 200)}, "fixed"),  # half of what came and went
        ({request: (40, 10, 50, 20), job: (4, 2, 6, 1)}, "too early to tell"),  # a tenth of the load
    ):
        assert before.prove(run({LEAK: (20, 20, 20, 20), **after})).verdict == verdict


def test_a_leak_by_another_name_under_less_and_less_load_is_no_cure() -> None:
    request = {"org.app.Request": (400, 100, 500, 200)}
    before = run({LEAK: (100, 200, 300, 400), **request})
    after = {LEAK: (20, 20, 20, 20), "org.app.Token": (100, 1100, 1800, 2200), **request}
    proof = before.prove(run(after))
    assert proof.verdict == "too early to tell", proof.reason
    filled = {LEAK: (20, 20, 20, 20), "org.app.Token": (20, 150, 151, 152), **request}
    assert before.prove(run(filled)).verdict == "fixed"


def test_snapshots_of_several_processes_prove_nothing() -> None:
    from heapscope.analysis.growth.cure import prove

    restarted = run({LEAK: (50, 59, 51, 48), "java.lang.Class": (900, 900, 400, 400)})
    proof = prove(LEAKS.growth(), restarted.growth())
    assert proof.verdict == "too early to tell"
    assert "may have been restarted (900 classes, then 400)" in proof.reason
    # The work of a training job goes on where its process was restarted; what leaked did not.
    work = (0, 100, 200, 300)
    assert prove(LEAKS.growth(work=work), restarted.growth(work=work)).reason == proof.reason


def test_a_snapshot_that_is_given_twice_proves_nothing(tmp_path: Path) -> None:
    import heapscope

    text = tmp_path / "2026-11-01T10:00:00.txt"
    text.write_text("   1:  5  80  org.app.Session\nTotal  5  80\n")
    twice = Snapshots([*heapscope.snapshots(text), *heapscope.snapshots(text)])
    with pytest.raises(HeapscopeError, match="given twice"):
        LEAKS.prove(twice)


def test_a_work_counter_stands_for_load() -> None:
    after = run({"java.lang.String": (5, 5, 5, 5)})
    assert LEAKS.prove(after, work=((0, 100, 200, 300), (0, 100, 200, 300))).verdict == "fixed"
    assert LEAKS.prove(after, work=((0, 100, 200, 300), (0, 1, 2, 3))).verdict == "too early to tell"


def test_a_heap_that_grows_as_before_is_never_fixed() -> None:
    other = {LEAK: (50, 50, 50, 50), "java.lang.String": (5000, 5000, 5000, 5000)}
    moved = LEAKS.prove(run({**other, "org.app.Renamed": (100, 200, 300, 400)}))
    assert moved.verdict == "not fixed"
    assert "org.app.Renamed" in moved.reason
    jdk_alone = LEAKS.prove(run({**other, "byte[]": (100, 300, 500, 700)}))
    assert jdk_alone.verdict == "too early to tell"  # it may be warm-up
    assert LEAKS.prove(run({**other, LEAK: (50, 41, 55, 50)})).verdict == "fixed"


def test_the_diagnosis_of_before_decides_and_then_the_program_then_libraries() -> None:
    noise = {"java.lang.String": (5000, 9000, 13000, 17000)}  # more than the leak, and of the JDK
    library = {"org.apache.pool.Pooled": (100, 200, 300, 400)}
    flat = {"java.lang.String": (5000, 5000, 5000, 5000), LEAK: (50, 42, 57, 50)}
    both = run({LEAK: (100, 200, 300, 400), **library, **noise})
    proof = both.prove(run({**flat, **library}), [LEAK])
    assert proof.verdict == "fixed"  # asked for by name
    alone = run({**library, "java.lang.String": (50000, 50100, 50200, 50300)})
    assert [one.name for one in alone.prove(run({**flat, **library})).decisive] == ["org.apache.pool.Pooled"]
    assert alone.prove(run({**flat, **library})).verdict == "not fixed"
    warm = run({"java.lang.String": (50000, 50100, 50200, 50300)})
    assert warm.prove(run(flat)).verdict == "too early to tell"


def test_generated_names_are_one_class_in_both_runs() -> None:
    before = run({"com.acme.Bus$$Lambda$14/0x7f1000000a08": (1000, 2000, 3000, 4000)})
    after = run({"com.acme.Bus$$Lambda/0x7f2000001c00": (1000, 2000, 3000, 4000)})
    proof = before.prove(after)
    assert proof.verdict == "not fixed"
    assert [one.name for one in proof.decisive] == ["com.acme.Bus$$Lambda"]
    spring_5 = run({"com.acme.Service$$EnhancerBySpringCGLIB$$1a2b3c4d": (1000, 2000, 3000, 4000)})
    spring_6 = run({"com.acme.Service$$SpringCGLIB$$0": (1000, 2000, 3000, 4000)})
    assert spring_5.prove(spring_6).verdict == "not fixed"


def test_too_little_was_done_to_tell() -> None:
    proof = LEAKS.prove(run({LEAK: (50, 50, 50, 50)}, hours=0.01))
    assert proof.verdict == "too early to tell"
    assert "would have grown by 3.0 instances only" in proof.reason


def test_work_counters_make_two_snapshots_enough() -> None:
    from heapscope.analysis.growth.cure import prove

    before = LEAKS.growth(work=[0, 100, 200, 300])
    after = run({LEAK: (50, 50)}, hours=0.001).growth(work=[0, 100])
    proof = prove(before, after)
    assert proof.verdict == "fixed"
    assert proof.comparison.classes[0].unit == "operation"
    assert proof.comparison.classes[0].expected == pytest.approx(100)
    idle = run({LEAK: (50, 50)}, hours=100).growth(work=[0, 5])
    assert prove(before, idle).verdict == "too early to tell"  # a hundred hours without work prove nothing


def test_without_growth_before_there_is_nothing_to_cure() -> None:
    steady = run({LEAK: (5, 5, 5, 5)})
    proof = steady.prove(steady)
    assert proof.verdict == "too early to tell"
    assert "nothing grew before" in proof.reason
    assert "no class of a.B grew before" in LEAKS.prove(LEAKS, ["a.B"]).reason


def test_the_classes_that_decide_can_be_named() -> None:
    after = run({LEAK: (50, 150, 250, 350), "java.lang.String": (5000, 5000, 5000, 5000)})
    assert LEAKS.prove(after).verdict == "not fixed"
    strings = LEAKS.prove(after, ["java.lang.String"])
    assert (strings.verdict, strings.decisive[0].outcome) == ("too early to tell", GONE)


def test_where_only_the_jdks_classes_grew_they_decide() -> None:
    leak = run({"byte[]": (100, 200, 300, 400)})
    assert leak.prove(run({"byte[]": (100, 100, 100, 100), "a.Job": (5, 90, 9, 50)})).verdict == "fixed"
    assert leak.prove(leak).verdict == "not fixed"


def test_classes_whose_bytes_alone_grow() -> None:
    def sized(sizes: Sequence[int]) -> Snapshots:
        from dataclasses import replace

        from heapscope.heap.histogram import sorted_histogram

        one, jobs = run({"a.Buffer": (1,) * len(sizes)}), (5, 90, 9, 50)
        return Snapshots(
            replace(s, histogram=sorted_histogram([("a.Buffer", 1, size), ("b.Job", job, 16 * job)]))
            for s, size, job in zip(one, sizes, jobs, strict=False)
        )

    leak = sized([1000, 2000, 3000, 4000])
    assert leak.prove(leak).verdict == "not fixed"
    assert leak.prove(sized([1000, 1000, 1000, 1000])).verdict == "fixed"
    assert leak.prove(sized([1000, 1000, 1000])).verdict == "too early to tell"


def test_what_grows_in_one_run_and_not_in_the_other() -> None:
    first = run({LEAK: (100, 200, 300, 400), "a.Both": (10, 20, 30, 40), "a.Never": (5, 5, 5, 5)})
    second = run({LEAK: (30, 31, 30, 30), "a.Both": (10, 20, 30, 40), "a.New": (1, 5, 9, 13)})
    compared = first.compare(second)
    assert {one.name: one.outcome for one in compared.classes} == {
        LEAK: "only in A",
        "a.Both": "in both",
        "a.New": "only in B",
    }
    frame = compared.to_frame().set_index("name")
    assert frame.loc[LEAK, "instance_count_a_rate"] == pytest.approx(100)
    assert frame.loc[LEAK, "instance_count_b_expected"] == 300
    assert frame.loc["a.New", "instance_count_a_last"] == 0
    assert [one.name for one in compared.having(GONE)] == [LEAK]


def test_other_groups_compare_too_and_only_with_their_like() -> None:
    from heapscope.analysis.growth.comparison import compare

    assert "org.app" in [one.name for one in LEAKS.compare(run({LEAK: (5, 5, 5, 5)}), "package").classes]
    with pytest.raises(HeapscopeError, match="growth by class and by package cannot be compared"):
        compare(LEAKS.growth(), LEAKS.growth("package"))


@pytest.mark.parametrize("after_count", [3, 4, 6])
def test_proofs_are_seldom_wrong(after_count: int) -> None:
    """Noise of a tenth of a step: a cured leak is not called alive, one that goes on is not called dead."""
    rng = np.random.default_rng(after_count)
    verdicts: dict[str, list[str]] = {"cured": [], "alive": []}
    for _ in range(60):
        before = run({LEAK: (1000 + 100 * np.arange(5) + rng.normal(0, 10, 5)).astype(int).tolist()})
        flat = 1000 + rng.normal(0, 10, after_count)
        grows = flat + 100 * np.arange(after_count)
        for kind, counts in (("cured", flat), ("alive", grows)):
            verdicts[kind].append(before.prove(run({LEAK: counts.astype(int).tolist()})).verdict)
    assert verdicts["cured"].count("not fixed") <= 2
    assert verdicts["alive"].count("fixed") == 0
    assert verdicts["alive"].count("not fixed") >= 58
    assert verdicts["cured"].count("fixed") >= (30 if after_count < 6 else 45)
