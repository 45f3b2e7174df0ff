"""Whose a class is: the JDK's, a library's, or the program's own.

A developer opens a field of the program, seldom one of a library and never one of the JDK, so answers name
the program's classes first.  Only names decide: class histograms have them too, and loaders do not tell (an
application server gives libraries and programs loaders of the same kind).
"""

from __future__ import annotations

from enum import IntEnum
from functools import cache


class ClassOrigin(IntEnum):
    """Whose a class is; the larger, the nearer to the developer."""

    JDK = 0
    LIBRARY = 1
    PROGRAM = 2


# Packages of the JDK (java.base and the other modules of OpenJDK 8 to 25).
_JDK_PACKAGES = """
apple. com.sun. java. javax. jdk. netscape.javascript. openj9. oracle. org.ietf.jgss. org.jcp.xml.
org.omg. org.w3c.dom. org.xml.sax. sun. sunw.
"""
# Packages of libraries that servers commonly run on.  What is missing here counts as the program's own, which
# costs a less telling name and no wrong figure.
_LIBRARY_PACKAGES = """
akka. alluxio. android. androidx. ch.qos. clojure. com.amazonaws. com.carrotsearch. com.codahale.
com.datastax. com.esotericsoftware. com.fasterxml. com.github.benmanes. com.google. com.gs.collections.
com.ibm.icu. com.jcraft. com.koloboke. com.lmax. com.mchange. com.microsoft.sqlserver. com.mongodb.
com.mysql. com.netflix. com.ning. com.squareup. com.thoughtworks. com.typesafe. com.zaxxer. dalvik.
freemarker. gnu.trove. groovy. groovyjarjar io.dropwizard. io.grpc. io.lettuce. io.micrometer.
io.micronaut. io.netty. io.opentelemetry. io.perfmark. io.prometheus. io.quarkus. io.reactivex.
io.smallrye. io.undertow. io.vavr. io.vertx. it.unimi. jakarta. javassist. jep. junit. kafka. kotlin.
kotlinx. liquibase. lombok. net.bytebuddy. net.jpountz. net.openhft. net.sf. ognl. okhttp3. okio.
org.agrona. org.aopalliance. org.apache. org.aspectj. org.bouncycastle. org.checkerframework.
org.cliffc. org.codehaus. org.eclipse. org.elasticsearch. org.flywaydb. org.glassfish. org.graalvm.
org.h2. org.hamcrest. org.hibernate. org.hsqldb. org.infinispan. org.javassist. org.jboss. org.jctools.
org.joda. org.jpype. org.json. org.junit. org.jvnet. org.mariadb. org.mockito. org.mozilla. org.mvel2.
org.neo4j. org.objectweb. org.objenesis. org.osgi. org.pcollections. org.postgresql. org.python.
org.quartz. org.reactivestreams. org.redisson. org.reflections. org.roaringbitmap. org.rocksdb.
org.scala org.slf4j. org.spark_project. org.sparkproject. org.springdoc. org.springframework.
org.sqlite. org.tensorflow. org.testng. org.thymeleaf. org.wildfly. org.xerial. org.xnio. org.yaml.
parquet. play. py4j. reactor. redis. scala. shaded. software.amazon. weblogic. zio. zipkin2.
"""
_JDK = tuple(_JDK_PACKAGES.split())
_LIBRARIES = tuple(_LIBRARY_PACKAGES.split())
_PRIMITIVES = frozenset({"boolean", "byte", "char", "double", "float", "int", "long", "short", "void"})


@cache
def class_origin(class_name: str) -> ClassOrigin:
    """Whose a class is, by its name; an array is of whom its elements are.

    Parameters
    ----------
    class_name : str
        As in Java source: ``com.acme.Session``, ``java.util.HashMap$Node[]``.
    """
    name = class_name
    while name.endswith("[]"):
        name = name[:-2]
    if name in _PRIMITIVES or name.startswith(_JDK):
        return ClassOrigin.JDK
    return ClassOrigin.LIBRARY if name.startswith(_LIBRARIES) else ClassOrigin.PROGRAM
