"""Two runs against each other, and proofs of a cure: on series of known truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

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
        ((50, 50, 50, 50), "fixed", r"org.app.Session grew before, and now does not: \+0 .* gives \+300"),
        ((50, 48, 51, 49), "fixed", "-1 instances"),
        ((50, 52, 51), "fixed", "grew before"),
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
        ({LEAK: (2, 2, 2, 2), "org.app.Main": (1, 1, 1, 1)}, "fixed"),  # it occurs, and stays
        ({"org.app.Request": (50, 50, 50, 50)}, "fixed"),  # a neighbour that there are many of
        ({"com.other.Buffer": (5, 500, 5, 300)}, "fixed"),  # something varies with the load
        ({"java.lang.String": (5, 50, 5, 50)}, "fixed"),  # the heap goes up and down
    ],
)
def test_a_class_that_does_not_occur_proves_nothing_without_load(
    after: Mapping[str, Sequence[int]], verdict: str
) -> None:
    proof = LEAKS.prove(run(after))
    assert proof.verdict == verdict
    assert [one.name for one in proof.decisive] == [LEAK]


def test_what_was_loaded_once_shows_no_load() -> None:
    before = run({LEAK: (100, 200, 300, 400), "org.app.Country": (250, 250, 250, 250)})
    served = run({LEAK: (100, 200, 300, 400), "org.app.Request": (40, 60, 45, 70)})
    assert before.prove(run({"org.app.Country": (250, 250, 250, 250)})).verdict == "too early to tell"
    assert served.prove(run({"org.app.Request": (50, 50, 50, 50)})).verdict == "fixed"


def test_a_class_that_every_jvm_has_shows_no_load_where_there_is_less_of_it_than_before() -> None:
    before = run({"java.lang.String": (9000, 10000, 11000, 12000)})
    named = ["java.lang.String"]
    assert before.prove(run({"java.lang.String": (4000,) * 4}), named).verdict == "too early to tell"
    assert before.prove(run({"java.lang.String": (9100,) * 4}), named).verdict == "fixed"


def test_where_nothing_moves_what_was_there_at_the_start_proves_nothing() -> None:
    others = {f"java.util.Some{i}": (i, i, i, i, i) for i in range(1, 120)}
    before = run({LEAK: (300, 400, 500, 600, 700), **others})
    assert before.prove(run({LEAK: (200,) * 5, **others})).verdict == "too early to tell"
    assert before.prove(run({LEAK: (230,) * 5, **others})).verdict == "fixed"  # 30 were made by its work
    moving = {**others, "java.util.Some7": (7, 9, 7, 8, 7)}
    assert before.prove(run({LEAK: (200,) * 5, **moving})).verdict == "fixed"


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
    assert LEAKS.prove(run(other)).verdict == "fixed"


def test_the_diagnosis_of_before_decides_and_then_the_program_then_libraries() -> None:
    noise = {"java.lang.String": (5000, 9000, 13000, 17000)}  # more than the leak, and of the JDK
    library = {"org.apache.pool.Pooled": (100, 200, 300, 400)}
    flat = {"java.lang.String": (5000, 5000, 5000, 5000), LEAK: (50, 50, 50, 50)}
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
    assert LEAKS.prove(after, ["java.lang.String"]).verdict == "fixed"


def test_where_only_the_jdks_classes_grew_they_decide() -> None:
    leak = run({"byte[]": (100, 200, 300, 400)})
    assert leak.prove(run({"byte[]": (100, 100, 100, 100)})).verdict == "fixed"
    assert leak.prove(leak).verdict == "not fixed"


def test_classes_whose_bytes_alone_grow() -> None:
    def sized(sizes: Sequence[int]) -> Snapshots:
        from dataclasses import replace

        from heapscope.heap.histogram import sorted_histogram

        one = run({"a.Buffer": (1,) * len(sizes)})
        return Snapshots(
            replace(s, histogram=sorted_histogram([("a.Buffer", 1, size)]))
            for s, size in zip(one, sizes, strict=True)
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
    assert verdicts["cured"].count("fixed") >= (30 if after_count < 6 else 50)
