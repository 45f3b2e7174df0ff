"""The judge of ``python -m benchmarks.verdicts``: what an answer says, and whether that is right."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.verdicts import answers, judging
from benchmarks.verdicts.answers import (
    Answer,
    Reading,
    ask,
    contradictions_of_diagnosis,
    contradictions_of_report,
    own_fields,
    read_check,
    read_diagnosis,
    read_growth,
    read_suspects,
    simple_field,
    wrong_limits,
)
from benchmarks.verdicts.cases import CASES, HEALTHY, KNOWN, QUICK, UNKNOWN, Case
from benchmarks.verdicts.judging import RIGHT, TEXTS, UNSURE, WRONG, Goal, Row, goals, judge, judge_cure
from benchmarks.verdicts.runs import AGAIN, FIXED, IDLE, PROGRAMS, RUNS, STEPS, schedule

SHOP = frozenset({"com.acme.shop.Shop", "com.acme.shop.SessionRegistry", "com.acme.shop.Session"})
LEAKING = Case(
    "shop", "com.acme.shop.Shop", UNKNOWN, "", "SessionRegistry.sessions", ("com.acme.shop.Session",)
)
FAMILY = replace(LEAKING, text_classes=("com.acme.shop.Cart",))
KNOWN_ONE = Case("hooks", "com.acme.Main", KNOWN, "", known="jdk-shutdown-hooks")
SOUND = Case("idle", "com.acme.Main", HEALTHY, "")
DEATH = "the heap limit of 64.9 MB is reached about 2026-01-12 09:00:00 UTC"


def diagnosis(**section: Any) -> Answer:
    whole = {"status": "leak", "findings": [], "runs_out": [], "steady": [], **section}
    return Answer(0, {"processes": [whole]}, "")


def finding(*way: str, **facts: Any) -> dict[str, Any]:
    """As today's JSON has it: the way is a tree."""
    branch: list[dict[str, Any]] = []
    for label in reversed(way):
        branch = [{"label": label, "member_count": 9, "children": branch}]
    return {"id": "unknown", "class_name": "com.acme.shop.Session", "holders": branch, **facts}


# What an answer says


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("com.acme.shop.SessionRegistry.sessions", "SessionRegistry.sessions"),
        ("static com.acme.shop.SessionRegistry.sessions (HashMap)", "SessionRegistry.sessions"),
        ("SessionRegistry.sessions (static)", "SessionRegistry.sessions"),
        ("Outer$Inner.cache", "Outer$Inner.cache"),
        ("HashMap$Node[]", ""),
        ("Thread <Java frame>", ""),
        ("", ""),
    ],
)
def test_simple_field(text: str, field: str) -> None:
    assert simple_field(text) == field


def test_own_fields_are_those_of_the_program_in_their_order() -> None:
    way = ("Thread <Java frame>", "Shop.registry", "HashMap.table", "SessionRegistry.sessions (static)")
    assert own_fields(way, SHOP) == ("Shop.registry", "SessionRegistry.sessions")


def test_the_owner_that_an_answer_names_outright_counts_alone() -> None:
    way = ("SessionRegistry.sessions (static)", "HashMap.table")
    named = finding(*way, owner="static com.acme.shop.Catalogue.products (HashMap)")
    assert read_diagnosis(diagnosis(findings=[named]), SHOP).owners == ("Catalogue.products",)
    named = finding(*way, owner={"class_name": "com.acme.shop.SessionRegistry", "field": "sessions"})
    assert read_diagnosis(diagnosis(findings=[named]), SHOP).owners == ("SessionRegistry.sessions",)


def test_only_the_first_finding_and_its_first_way_count() -> None:
    innocent, guilty = finding("Shop.stock"), finding("SessionRegistry.sessions (static)")
    assert read_diagnosis(diagnosis(findings=[innocent, guilty]), SHOP).owners == ("Shop.stock",)
    forked = finding("Shop.stock")
    forked["holders"].append(guilty["holders"][0])
    assert read_diagnosis(diagnosis(findings=[forked]), SHOP).owners == ("Shop.stock",)


def test_a_diagnosis_without_a_finding_may_name_what_holds_the_heap() -> None:
    said = diagnosis(status="too few snapshots", owners=["com.acme.shop.SessionRegistry.sessions", "x.Y.z"])
    reading = read_diagnosis(said, SHOP)
    assert (reading.verdict, reading.owners) == ("too few snapshots", ("SessionRegistry.sessions",))


def test_a_suspect_names_the_fields_on_its_path() -> None:
    steps = [
        {"class_name": "class com.acme.shop.SessionRegistry", "references": ["static sessions"]},
        {"class_name": "java.util.HashMap", "references": ["table"]},
        {"class_name": "java.util.HashMap$Node[]", "references": []},
    ]
    said = Answer(0, {"suspects": [{"class_name": "a.B", "path": {"steps": steps}}]}, "")
    assert read_suspects(said, SHOP).owners == ("SessionRegistry.sessions",)


def test_a_group_of_suspects_names_its_first_holder() -> None:
    merged = {"holders": [{"label": "SessionRegistry.sessions (static)", "children": []}]}
    said = Answer(0, {"suspects": [{"class_name": "a.B", "path": None, "holders": merged}]}, "")
    assert read_suspects(said, SHOP).owners == ("SessionRegistry.sessions",)


def test_no_suspect_names_no_owner() -> None:
    assert read_suspects(Answer(0, {"suspects": []}, ""), SHOP).owners == ()


def test_a_failed_command_is_no_verdict() -> None:
    failed = Answer(3, {}, "heapscope: no such file")
    assert read_diagnosis(failed, SHOP).verdict == "error 3: heapscope: no such file"
    assert read_suspects(failed, SHOP).verdict.startswith("error 3")
    assert read_check(failed).verdict.startswith("error 3")


def test_dates_of_death_are_those_with_a_date() -> None:
    never = "the heap limit of 64.9 MB is not reached in 50 years"
    assert read_diagnosis(diagnosis(runs_out=[never, DEATH]), SHOP).deaths == (DEATH,)
    forecasts = [{"limit": {"name": "heap limit"}, "at": None}, {"limit": {"name": "x"}, "at": "2026"}]
    assert read_growth(Answer(0, {"forecasts": forecasts}, "")) == ("x at 2026",)


def test_a_limit_above_the_heap_is_a_mistake() -> None:
    limits = [{"limit": {"name": "heap limit", "limit_bytes": size}, "at": None} for size in (60, 64, 65)]
    said = Answer(0, {"forecasts": limits}, "")
    assert len(wrong_limits(said, 64)) == 1
    mistaken = replace(NAMED, mistakes=wrong_limits(said, 64))
    assert judge(LEAKING, 17, "4 dumps", mistaken).outcome == WRONG


def test_what_lies_outside_of_the_heap_is_counted() -> None:
    buffers = replace(LEAKING, off_heap_bytes=1000)
    assert judge(buffers, 17, "4 dumps", NAMED).outcome == WRONG
    assert judge(buffers, 17, "4 dumps", replace(NAMED, off_heap_bytes=950)).outcome == RIGHT
    assert judge(buffers, 17, "4 dumps", replace(NAMED, off_heap_bytes=500)).outcome == WRONG
    named = finding("SessionRegistry.sessions (static)", off_heap_bytes=950)
    assert read_diagnosis(diagnosis(findings=[named]), SHOP).off_heap_bytes == 950


def test_a_command_that_is_asked_answers_with_json_or_an_error(tmp_path: Path) -> None:
    missing = ask("diagnose", tmp_path / "none.hprof", "--json")
    assert (missing.exit_code, missing.document) == (3, {})
    assert "none.hprof" in missing.error


# Two statements that cannot both hold


def test_statements_of_a_diagnosis() -> None:
    sound = {"status": "no leak found", "findings": [], "runs_out": [], "steady": ["Hooks: 3 -> 3"]}
    assert contradictions_of_diagnosis(sound) == []
    assert contradictions_of_diagnosis({**sound, "runs_out": [DEATH]})
    assert contradictions_of_diagnosis({**sound, "findings": [finding()]})
    assert contradictions_of_diagnosis({**sound, "status": "leak"})
    both = {"status": "leak", "findings": [finding(title="Hooks")], "steady": ["Hooks: 3 -> 3, no growth"]}
    assert contradictions_of_diagnosis(both)


def test_statements_of_a_report() -> None:
    section = {"status": "leak", "findings": [finding()]}
    assert contradictions_of_report({"status": "leak", "diagnosis": section}) == []
    assert contradictions_of_report({"status": "absent", "diagnosis": section})
    sound = {"status": "no leak found", "findings": []}
    assert contradictions_of_report({"status": "steady", "diagnosis": sound}) == []
    assert contradictions_of_report({"status": "growth", "headline": "It grew", "diagnosis": sound})
    same = "No leak found, but the whole heap grew, and has levelled off"
    assert contradictions_of_report({"status": "growth", "headline": same, "diagnosis": sound}) == []
    outlook = {"forecasts": [{"at": "2026-01-12"}]}
    assert contradictions_of_report({"status": "steady", "diagnosis": sound, "outlook": outlook})


def test_one_process_that_is_taken_for_two() -> None:
    one = {"status": "too few snapshots", "findings": []}
    assert read_diagnosis(Answer(0, {"processes": [one, one]}, ""), SHOP).contradictions


@pytest.mark.parametrize(
    ("verdict", "code", "agree"),
    [
        ("fixed", 0, True), ("not fixed", 1, True), ("too early to tell", 4, True),
        ("fixed", 1, False), ("not fixed", 0, False), ("too early to tell", 0, False),
    ],
)  # fmt: skip
def test_the_exit_code_of_check_is_its_verdict(verdict: str, code: int, agree: bool) -> None:
    reading = read_check(Answer(code, {"verdict": verdict, "classes": []}, ""))
    assert (not reading.contradictions) == agree


# Right or wrong

NAMED = Reading("leak", "com.acme.shop.Session", ("Shop.registry", "SessionRegistry.sessions"), "unknown")


@pytest.mark.parametrize("view", ["4 dumps", "8 dumps"])
def test_a_leak_that_is_found_and_named(view: str) -> None:
    row = judge(LEAKING, 17, view, NAMED)
    assert (row.outcome, row.named_owner, row.named_class) == (RIGHT, True, True)


@pytest.mark.parametrize(
    ("reading", "owner", "class_name"),
    [
        (replace(NAMED, owners=("Shop.sessions",)), False, True),
        (replace(NAMED, owners=("MySessionRegistry.sessions",)), False, True),
        (replace(NAMED, owners=()), False, True),
        (replace(NAMED, class_name="byte[]"), True, False),
        (replace(NAMED, verdict="no leak found"), False, False),
        (replace(NAMED, verdict="too few snapshots"), False, False),
        (replace(NAMED, contradictions=("x",)), True, True),
    ],
)
def test_a_leak_that_is_not(reading: Reading, owner: bool, class_name: bool) -> None:
    row = judge(LEAKING, 17, "4 dumps", reading)
    assert (row.outcome, row.named_owner, row.named_class) == (WRONG, owner, class_name)
    assert row.why


def test_one_dump_needs_the_owner_and_no_verdict() -> None:
    undecided = replace(NAMED, verdict="too few snapshots")
    assert judge(LEAKING, 17, "1 dump", undecided).outcome == RIGHT
    assert judge(LEAKING, 17, "1 dump", replace(undecided, owners=())).outcome == WRONG
    assert judge(LEAKING, 17, "1 dump", replace(undecided, verdict="no leak found")).outcome == WRONG
    assert judge(LEAKING, 17, judging.SUSPECTS, Reading("suspect", owners=NAMED.owners)).outcome == RIGHT
    assert judge(LEAKING, 17, judging.SUSPECTS, Reading("suspect")).outcome == WRONG


def test_histograms_need_the_class_and_no_owner() -> None:
    blind = replace(NAMED, owners=())
    row = judge(LEAKING, 17, TEXTS, blind)
    assert (row.outcome, row.named_owner, row.named_class) == (RIGHT, None, True)
    cart = replace(blind, class_name="com.acme.shop.Cart")
    assert judge(LEAKING, 17, TEXTS, cart).outcome == WRONG
    assert judge(FAMILY, 17, TEXTS, cart).outcome == RIGHT
    assert judge(FAMILY, 17, "4 dumps", replace(NAMED, class_name="com.acme.shop.Cart")).outcome == WRONG


def test_a_lambda_is_its_makers() -> None:
    of_lambda = replace(NAMED, class_name="com.acme.shop.Session$$Lambda/0x0000000800c03000")
    assert judge(LEAKING, 17, "4 dumps", of_lambda).outcome == RIGHT


def test_a_known_leak_is_known_by_its_id() -> None:
    for view in ("1 dump", "2 dumps", "4 dumps", "8 dumps"):
        assert judge(KNOWN_ONE, 17, view, Reading("leak", known="jdk-shutdown-hooks")).outcome == RIGHT
        assert judge(KNOWN_ONE, 17, view, Reading("leak", known="unknown")).outcome == WRONG
        assert judge(KNOWN_ONE, 17, view, Reading("too few snapshots")).outcome == WRONG
    assert judge(KNOWN_ONE, 17, TEXTS, Reading("leak", known="unknown")).outcome == RIGHT
    assert judge(KNOWN_ONE, 17, TEXTS, Reading("no leak found")).outcome == UNSURE


def test_a_healthy_program_neither_leaks_nor_dies() -> None:
    assert judge(SOUND, 17, "8 dumps", Reading("no leak found")).outcome == RIGHT
    assert judge(SOUND, 17, "2 dumps", Reading("too few snapshots")).outcome == RIGHT
    assert judge(SOUND, 17, "1 dump", Reading("leak", "a.B")).outcome == WRONG
    assert judge(SOUND, 17, "8 dumps", Reading("no leak found", deaths=(DEATH,))).outcome == WRONG
    assert judge(SOUND, 17, "8 dumps", Reading("error 70: a bug")).outcome == WRONG


@pytest.mark.parametrize(
    ("run", "verdict", "outcome"),
    [
        (FIXED, "fixed", RIGHT), (FIXED, "too early to tell", UNSURE), (FIXED, "not fixed", WRONG),
        (AGAIN, "fixed", WRONG), (AGAIN, "too early to tell", UNSURE), (AGAIN, "not fixed", RIGHT),
        (IDLE, "fixed", WRONG), (IDLE, "too early to tell", RIGHT), (IDLE, "not fixed", WRONG),
        (FIXED, "error 3: x", WRONG),
    ],
)  # fmt: skip
def test_cures(run: str, verdict: str, outcome: str) -> None:
    assert judge_cure(LEAKING, 17, run, "4 dumps", Reading(verdict)).outcome == outcome


# Totals


def goal(rows: list[Row], what: str) -> Goal:
    (found,) = [each for each in goals(rows) if each.what.startswith(what)]
    return found


def test_fixed_while_the_leak_goes_on_counts_runs_without_cure_and_idle_ones() -> None:
    rows = [judge_cure(LEAKING, 17, run, "8 dumps", Reading("fixed")) for run in (FIXED, AGAIN, IDLE)]
    found = goal(rows, '"fixed" while the leak goes on')
    assert (found.hits, found.of, found.is_reached) == (2, 2, False)
    assert goal(rows[:1], '"fixed" while').of == 0
    open_ones = [judge_cure(LEAKING, 17, IDLE, "8 dumps", Reading("too early to tell"))]
    assert goal(open_ones, '"fixed" while').is_reached


def test_owners_in_nine_of_ten() -> None:
    right = judge(LEAKING, 17, "1 dump", replace(NAMED, verdict="too few snapshots"))
    wrong = judge(LEAKING, 17, "1 dump", Reading("too few snapshots"))
    what = "owner's field first from one dump, diagnose"
    assert goal([right] * 9 + [wrong], what).is_reached
    assert not goal([right] * 8 + [wrong] * 2, what).is_reached


def test_a_goal_of_which_nothing_was_asked_is_not_reached() -> None:
    assert not any(each.is_reached for each in goals([]))


def test_one_false_alarm_in_a_hundred() -> None:
    calm, alarm = (judge(SOUND, 17, "8 dumps", Reading(verdict)) for verdict in ("no leak found", "leak"))
    assert goal([calm] * 99 + [alarm], "healthy called leaking").is_reached
    assert not goal([calm] * 98 + [alarm] * 2, "healthy called leaking").is_reached


def test_strings_are_no_class_of_the_program() -> None:
    strings = replace(LEAKING, classes=("java.lang.String",))
    rows = [judge(strings, 17, TEXTS, replace(NAMED, class_name="java.lang.String"))]
    assert rows[0].outcome == RIGHT
    assert goal(rows, "program's class from histograms").of == 0


def test_rows_can_be_written() -> None:
    from dataclasses import asdict

    json.dumps([asdict(judge(LEAKING, 17, "4 dumps", NAMED))])


# The programs


def test_every_case_has_its_program_and_its_truth() -> None:
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)
    assert set(QUICK) <= set(names)
    for case in CASES:
        source = (PROGRAMS / f"{case.main.rpartition('.')[2]}.java").read_text()
        assert f"package {case.main.rpartition('.')[0]};" in source
        if case.kind == UNKNOWN:
            owner, _, field = case.owner.partition(".")
            if owner == "ManagementFactory":  # the JDK's own
                assert owner in source
            elif not owner.startswith(("a local variable of ", "local variables of ", "threads ")):
                assert f"class {owner} " in source or f"enum {owner} " in source
                assert f" {field}" in source
            for name in case.classes:
                simple = name.rpartition(".")[2].partition("$")[0]
                declared = (f"class {simple} ", f"record {simple}(")
                is_of_jdk = name == "byte[]" or name.startswith("java.")
                assert is_of_jdk or any(each in source for each in declared), name
        assert bool(case.known) == (case.kind == KNOWN)


def test_no_program_is_left_out() -> None:
    mains = {case.main.rpartition(".")[2] for case in CASES}
    shared = {"Pace", "Long2ObjectOpenHashMap", "LocalCache"}
    assert {path.stem for path in PROGRAMS.glob("*.java")} == {*mains, *shared}


def test_known_leaks_are_in_the_catalogue() -> None:
    from heapscope.analysis.leaks.known_leaks import load_catalogue

    assert {case.known for case in CASES if case.kind == KNOWN} <= {leak.id for leak in load_catalogue()}


def test_the_schedule_is_the_same_every_time_and_goes_on() -> None:
    for case in CASES[:2]:
        times = [each for run in RUNS for each in schedule(case, run)]
        assert times == sorted(times)
        assert len(set(times)) == STEPS * len(RUNS)
        assert times == [each for run in RUNS for each in schedule(case, run)]
    assert schedule(CASES[0], FIXED) != schedule(CASES[1], FIXED)


def test_names_of_verdicts_are_those_of_heapscope() -> None:
    from heapscope.analysis.verdicts import CureVerdict, Status

    assert {answers.LEAK, answers.HEALTHY, judging.UNDECIDED} == {each.value for each in Status}
    assert {judging.FIXED_VERDICT, judging.NOT_FIXED_VERDICT, judging.TOO_EARLY_VERDICT} == {
        each.value for each in CureVerdict
    }
