"""Generated names: what is stable of them, and that nothing else is touched."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import heapscope
from heapscope.parser.generated_names import stable_name

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("name", "stable"),
    [
        ("com.acme.Bus$$Lambda$14/0x00007f1000000a08", "com.acme.Bus$$Lambda"),
        ("com.acme.Bus$$Lambda$14/1234567", "com.acme.Bus$$Lambda"),
        ("com.acme.Bus$$Lambda/0x00007f1000000a08[]", "com.acme.Bus$$Lambda[]"),
        ("com.acme.Bus$$Lambda+0x00007f1000000a08", "com.acme.Bus$$Lambda"),
        ("com.acme.Bus$$Lambda$14.0x00007f1000000a08", "com.acme.Bus$$Lambda"),
        ("java.lang.invoke.LambdaForm$MH.0x00007f1000000a08", "java.lang.invoke.LambdaForm$MH"),
        ("com.acme.Bus$$Lambda$14", "com.acme.Bus$$Lambda"),
        ("com.acme.Foo/0x00007f1000000a08", "com.acme.Foo"),
        ("java.lang.String$$StringConcat/0x00007f10", "java.lang.String$$StringConcat"),
        ("$Proxy12", "$Proxy"),
        ("com.sun.proxy.$Proxy12[][]", "$Proxy[][]"),
        ("jdk.proxy2.$Proxy12", "$Proxy"),
        ("com.acme.$Proxy3", "com.acme.$Proxy"),
        ("com.acme.Service$$EnhancerBySpringCGLIB$$1a2b3c4d", "com.acme.Service$$SpringCGLIB"),
        ("com.acme.Service$$SpringCGLIB$$0", "com.acme.Service$$SpringCGLIB"),
        ("com.acme.Service$$FastClassBySpringCGLIB$$ab12", "com.acme.Service$$SpringCGLIB$$FastClass"),
        ("com.acme.Service$$SpringCGLIB$$FastClass$$1", "com.acme.Service$$SpringCGLIB$$FastClass"),
        ("com.acme.Service$$EnhancerByCGLIB$$1a2b3c4d_2", "com.acme.Service$$EnhancerByCGLIB"),
        ("com.acme.Service$$FastClassByCGLIB$$1a2b3c4d", "com.acme.Service$$FastClassByCGLIB"),
        ("com.acme.Service$$EnhancerByGuice$$123456789", "com.acme.Service$$EnhancerByGuice"),
        ("sun.reflect.GeneratedMethodAccessor12", "sun.reflect.GeneratedMethodAccessor"),
        (
            "sun.reflect.GeneratedConstructorAccessor3",
            "sun.reflect.GeneratedConstructorAccessor",
        ),
        (
            "sun.reflect.GeneratedSerializationConstructorAccessor1",
            "sun.reflect.GeneratedSerializationConstructorAccessor",
        ),
        ("java.lang.invoke.LambdaForm$MH/0x00007f10", "java.lang.invoke.LambdaForm$MH"),
        ("java.lang.invoke.LambdaForm$DMH/1234567", "java.lang.invoke.LambdaForm$DMH"),
        ("com.acme.User$ByteBuddy$AbC12xyz", "com.acme.User$ByteBuddy"),
        ("com.acme.User$HibernateProxy$AbC12xyz", "com.acme.User$HibernateProxy"),
        ("com.acme.User$HibernateProxy", "com.acme.User$HibernateProxy"),
        ("com.acme.User$MockitoMock$1234", "com.acme.User$MockitoMock"),
        ("com.acme.User_$$_javassist_12", "com.acme.User_$$_javassist"),
        ("com.acme.User_$$_jvst1a2_c", "com.acme.User_$$_jvst"),
        ("Script12", "Script"),
        ("Script12$_run_closure1", "Script$_run_closure1"),
        ("Script_1a2b3c4d5e6f$_run_closure1", "Script$_run_closure1"),
        ("$line12.$read$$iw", "$line.$read$$iw"),
        ("$line12.$read$$iw$$iw$Foo[]", "$line.$read$$iw$$iw$Foo[]"),
        ("rs$line$12", "rs$line"),
        ("ammonite.$sess.cmd12$Helper", "ammonite.$sess.cmd$Helper"),
        ("REPL.$JShell$12B$Foo", "REPL.$JShell$Foo"),
        ("org.apache.jsp.index_jsp_12", "org.apache.jsp.index_jsp"),
        ("com.acme.Page$JspServlet12", "com.acme.Page$JspServlet"),
        (
            "org.apache.spark.sql.catalyst.expressions.GeneratedClass$GeneratedIteratorForCodegenStage12",
            "org.apache.spark.sql.catalyst.expressions.GeneratedClass$GeneratedIteratorForCodegenStage",
        ),
    ],
)
def test_the_stable_part_of_a_generated_name(name: str, stable: str) -> None:
    assert stable_name(name) == stable
    assert stable_name(stable) == stable


@pytest.mark.parametrize(
    "name",
    [
        "com.acme.Outer$1",
        "com.acme.Outer$Inner$12",
        "com.acme.Script12Reader",
        "com.acme.GeneratedReport12",
        "com.acme.Proxy12",
        "com.acme.Script2",
        "com.acme.Web$JspReader$1",
        "com.acme.Web$HibernateConfig$Bean",
        "com.acme.Base64",
        "com.acme.line12.Reader",
        "org.apache.jsp.index_jsp",
        "com.acme.Vector3[]",
        "org.apache.spark.sql.catalyst.expressions.GeneratedClass$SpecificUnsafeProjection",
        "java.lang.invoke.BoundMethodHandle$Species_LL",
        "java.lang.invoke.DirectMethodHandle$Holder",
        "int[]",
        "",
    ],
)
def test_an_ordinary_name_stays(name: str) -> None:
    assert stable_name(name) == name


@pytest.mark.parametrize("sample", ["leak-1.hprof.gz", "healthy-1.hprof.gz"])
def test_the_classes_of_real_dumps_stay_but_for_generated_ones(sample: str) -> None:
    path = ROOT / "sample_dumps" / sample
    if not path.exists():
        pytest.skip(f"{sample} is not there")
    (snapshot,) = heapscope.snapshots([path])
    names = [*snapshot.histogram.column("class_name"), *snapshot.superclasses]
    marks = ("Lambda", "$Proxy", "Generated", "/0x")
    changed = [name for name in names if stable_name(name) != name]
    assert [name for name in changed if not any(mark in name for mark in marks)] == []


PARTS = st.sampled_from(
    [
        "com.acme.",
        "Foo",
        "$$Lambda",
        "$",
        "12",
        "/0x7f10",
        "$$",
        "CGLIB",
        "$Proxy",
        "SpringCGLIB",
        "ab12",
        "[]",
        ".",
        "EnhancerByCGLIB",
        "Script",
        "_",
        "jvst",
        "javassist",
        "line",
        "jdk.proxy2.",
        "ByteBuddy",
        "auxiliary",
    ]
)


@given(st.lists(PARTS, max_size=8).map("".join) | st.text(max_size=30))
def test_the_stable_part_is_its_own_stable_part(name: str) -> None:
    once = stable_name(name)
    assert stable_name(once) == once
