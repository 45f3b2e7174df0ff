"""Secrets stay out of reports, and what a diagnosis needs stays in."""

from __future__ import annotations

import base64
import random
import re
import time

import pytest

from heapscope.secrets import (
    _NO_SECRET_WORD,
    _SECRET_WORD,
    SECRET_WORDS,
    SUSPICIOUS,
    mask_command,
    mask_mapping,
    mask_options,
    mask_value,
    names_secret,
    scrub,
)

# (name, value, the part that must not be seen)
SECRETS = [
    ("AWS_SECRET_ACCESS_KEY", "x", "x"),
    ("DB_URL", "postgres://app:hunter2@db/prod", "hunter2"),
    ("http_proxy", "http://proxy-user:hunter2@proxy:3128", "hunter2"),
    ("MY_SETTING", "hunter2", "hunter2"),
    ("HADOOP_CREDSTORE_PASSWORD", "hunter2", "hunter2"),
    ("HADOOP_OPTS", "-Xmx1g -Ddb.password=hunter2 -verbose:gc", "hunter2"),
    ("HADOOP_OPTS", "-Ddb.pw=hunter2", "hunter2"),
    ("HADOOP_OPTS", "-Dmy.setting=hunter2", "hunter2"),
    ("HADOOP_OPTS", '-Dmy.setting="hunter2 and more"', "more"),
    ("HADOOP_OPTS", "-Djavax.net.ssl.keyStorePassword='hunter2'", "hunter2"),
    ("LIBHDFS_OPTS", "-javaagent:/opt/agent.jar=port=1,license=hunter2", "hunter2"),
    ("LIBHDFS_OPTS", "-Xmx1g --token hunter2", "hunter2"),
    ("LIBHDFS_OPTS", "-Dhadoop.root.logger=https://me:hunter2@logs.example.org/x", "hunter2"),
    ("JAVA_TOOL_OPTIONS", "-Djava.util.prefs.x=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcDEF123", "eyJhbGci"),
    ("TF_CONFIG", '{"cluster": {}, "password": "hunter2"}', "hunter2"),
    ("TF_CONFIG", '{"token":"hunter2","task":{"type":"worker"}}', "hunter2"),
    ("TF_CONFIG", "{'api_key': 'hunter2'}", "hunter2"),
    ("TF_CONFIG", '"{\\"secret\\": \\"hunter2\\"}"', "hunter2"),
    ("TF_CONFIG", '{"auth": "Bearer abcdefgh12"}', "abcdefgh12"),
    ("CLASSPATH", "/opt/lib/a.jar:https://user:hunter2@repo/b.jar", "hunter2"),
    ("CLASSPATH", "/opt/a.jar:AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
    ("PATH", "/bin:/home/ghp_abcdefghijklmnopqrstuvwxyz0123456789", "ghp_abc"),
    ("HADOOP_CONF_DIR", "-----BEGIN PRIVATE KEY-----\nMIIEv\nQIBADAN\n-----END PRIVATE KEY-----", "QIBADAN"),
    ("HADOOP_CONF_DIR", "-----BEGIN PRIVATE KEY-----\nMIIEv\ncut", "MIIEv"),
    ("LANG", "0123456789abcdef0123456789abcdef", "0123456789abcdef"),
    ("PWD", "/jobs/3f2504e0-4f89-11d3-9a0c-0305e82c3301", "3f2504e0"),
    ("java.class.path", "jdbc:oracle:thin:scott/tiger@//db:1521/x", "tiger"),
    ("java.naming.security.credentials", "hunter2", "hunter2"),
    ("javax.net.ssl.trustStorePassword", "hunter2", "hunter2"),
    ("app.setting", "hunter2", "hunter2"),
    ("sun.java.command", "org.example.Main bob hunter2", "hunter2"),
    ("java.vendor.url", "https://example.org/?user=me&password=hunter2&x=1", "hunter2"),
    ("user.dir", "Authorization: Basic aHVudGVyMjpo", "aHVudGVy"),
]

# What a diagnosis lives on; none of it may be lost.
SHOWN = [
    ("KERB_TICKET_CACHE_PATH", "/tmp/krb5cc_1000"),
    ("KRB5CCNAME", "FILE:/tmp/krb5cc_1000"),
    ("KRB5CCNAME", "KEYRING:persistent:1000"),
    ("MALLOC_ARENA_MAX", "2"),
    ("CLASSPATH", "/opt/hadoop/share/hadoop/common/lib/hadoop-auth-3.3.6.jar:/etc/hadoop/keys:/etc/hadoop"),
    ("CLASSPATH", "lib/hadoop-auth-3.3.6.jar:lib/commons-configuration2-2.8.0.jar:lib/log4j-1.2.17.jar"),
    ("LIBHDFS_OPTS", "-Xmx64m -XX:+UseSerialGC -XX:+StartAttachListener -XX:MaxRAMPercentage=50.0 -Xrs"),
    (
        "LIBHDFS_OPTS",
        "-Xlog:gc*:file=/var/log/gc.log:time,uptime:filecount=5 -XX:ErrorFile=/tmp/hs_err_%p.log",
    ),
    ("LIBHDFS_OPTS", "-Djava.security.krb5.conf=/etc/krb5.conf -Dsun.security.krb5.debug=true"),
    ("LIBHDFS_OPTS", "-Djavax.security.auth.useSubjectCredsOnly=false -Dmy.flag=true"),
    (
        "LIBHDFS_OPTS",
        "-Djava.security.auth.login.config=/etc/jaas.conf -Dhadoop.security.authentication=kerberos",
    ),
    ("JAVA_TOOL_OPTIONS", "--add-opens java.security.jgss/sun.security.krb5=ALL-UNNAMED"),
    ("TF_CONFIG", '{"cluster": {"worker": ["w0:2222", "w1:2222"]}, "task": {"type": "worker", "index": 0}}'),
    ("FEATURE_X", "true"),
    ("com.acme.cache", "off"),
    ("HADOOP_USER_NAME", "trainer"),
    ("HADOOP_TOKEN_FILE_LOCATION", "/var/run/tokens"),
    ("PATH", "/usr/local/sbin:/usr/local/bin:/opt/passwords/bin"),
    ("LC_ALL", "C.UTF-8"),
    ("HOSTNAME", "worker-3.example.org"),
    ("java.vm.name", "OpenJDK 64-Bit Server VM"),
    ("java.vm.version", "17.0.15+6-Debian-1deb12u1"),
    ("java.vendor.url.bug", "https://bugreport.java.com/bugreport/"),
    ("java.library.path", "/usr/java/packages/lib:/usr/lib/x86_64-linux-gnu/jni:/lib/x86_64-linux-gnu"),
    ("os.version", "6.1.0-37-amd64"),
    ("user.name", "trainer"),
    ("sun.java.command", "org.apache.hadoop.hdfs.server.namenode.NameNode"),
    ("sun.boot.library.path", "/usr/lib/jvm/java-17-openjdk-amd64/lib"),
]

# Texts made of one of these are the worst for some pattern.
UNITS = (
    *("a", "a=", "://", "-", "a.b-", '"', "x:y@", "-Da", "key ", "1A", "\\", "x:", ":x/", 'key="'),
    *("-Da=", "--a=", "-XX:", "-XX:a=", "-javaagent:", "-javaagent:a=", " -javaagent:", '"-javaagent:'),
)


@pytest.mark.parametrize(("name", "value", "secret"), SECRETS)
def test_a_secret_is_not_shown(name: str, value: str, secret: str) -> None:
    shown = mask_value(name, value)
    # "(masked, 1 character ..." would hold a secret "x" by itself.
    assert secret not in shown.replace("(masked, 1 character; --show-secrets shows it)", "")
    assert "masked" in shown


@pytest.mark.parametrize(("name", "value"), SHOWN)
def test_what_a_diagnosis_needs_is_shown_in_full(name: str, value: str) -> None:
    assert mask_value(name, value) == value


def test_a_masked_value_tells_its_length_and_how_to_see_it() -> None:
    assert mask_value("MY_SETTING", "x" * 32) == "(masked, 32 characters; --show-secrets shows it)"
    assert mask_value("MY_SETTING", "x") == "(masked, 1 character; --show-secrets shows it)"
    assert mask_value("MY_SETTING", "") == ""


def test_only_the_secret_goes_from_a_shown_value() -> None:
    options = "-Xmx64m -Ddb.password=hunter2 -Djava.security.krb5.conf=/etc/krb5.conf"
    assert (
        mask_value("LIBHDFS_OPTS", options)
        == "-Xmx64m -Ddb.password=(masked) -Djava.security.krb5.conf=/etc/krb5.conf"
    )
    assert (
        mask_value("TF_CONFIG", '{"password": "hunter2", "task": "worker"}')
        == '{"password": "(masked)", "task": "worker"}'
    )
    assert (
        mask_value("sun.java.command", "org.example.Main a b")
        == "org.example.Main (2 arguments masked; --show-secrets shows them)"
    )


def test_mask_mapping_is_ordered_by_name() -> None:
    assert list(mask_mapping({"b": "1", "PATH": "/bin", "a": "2"})) == ["PATH", "a", "b"]


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode, base64.b32encode])
def test_random_words_are_taken_for_secrets(encode: object) -> None:
    assert callable(encode)
    dice = random.Random(20261123)
    words = [encode(dice.randbytes(30)).decode() for _ in range(300)]
    missed = [word for word in words if scrub(f"/opt/x:{word}:/etc") == f"/opt/x:{word}:/etc"]
    assert len(missed) <= 0.03 * len(words), missed


@pytest.mark.parametrize(
    "word",
    [
        "UseContainerSupportAndHeapDumpOnOutOfMemoryError",
        "Log4jLoggerFactoryBinderImplementation",
        "hadoop-shaded-protobuf_3_7-1.1.1",
        "/usr/lib/x86_64-linux-gnu/hadoop/native/Linux-amd64-64/lib",
        "org/apache/hadoop/security/UserGroupInformation",
        "20261123T093012",
    ],
)
def test_names_are_no_random_words(word: str) -> None:
    assert scrub(word) == word


def test_scrubbing_twice_changes_nothing_more() -> None:
    for name, value, _ in SECRETS:
        once = mask_value("HADOOP_OPTS", value)
        assert mask_value("HADOOP_OPTS", once) == once, name


def test_scrubbing_takes_time_in_proportion_to_the_text() -> None:
    """The longest environment string Linux takes (MAX_ARG_STRLEN) is 128 KiB; no pattern may be quadratic."""

    def seconds(size: int) -> float:
        start = time.thread_time()
        for unit in UNITS:
            scrub(unit * (size // len(unit)))
        return time.thread_time() - start

    # 8 times the text takes 8 times as long, and 30 times or more where one pattern is quadratic.
    assert seconds(131072) < 20 * min(seconds(16384) for _ in range(3))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("-Xmx1g -Xrs -XX:+UseG1GC", ["-Xmx1g", "-Xrs", "-XX:+UseG1GC"]),
        ("-Dpassword=hunter2 -Dflag", ["-Dpassword=(masked)", "-Dflag"]),
        # What a JVM prints has no quotes: the rest of a value is not taken for an option.
        ("-Dmotto=my secret words -Xint", ["-Dmotto=(masked)", "-Xint"]),
        ("-Duser.name=my secret name -Xint", ["-Duser.name=my", "(masked)", "-Xint"]),
        ("-XX:OnOutOfMemoryError=curl -u me:pw", ["-XX:OnOutOfMemoryError=(masked)", "-u", "(masked)"]),
        ("--add-opens java.base/java.lang=ALL-UNNAMED", ["--add-opens", "java.base/java.lang=ALL-UNNAMED"]),
        ("-javaagent:/opt/agent.jar=key=abc", ["-javaagent:/opt/agent.jar=(masked)"]),
        ("hunter2", ["(masked)"]),
        ("", []),
    ],
)
def test_options_lose_what_may_be_secret(text: str, shown: list[str]) -> None:
    assert mask_options(text.split()) == shown
    assert mask_options(shown) == shown


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["python", "train.py", "--job_name=ps"], ["python", "train.py", "--job_name=ps"]),
        (["python3.11", "-u", "train.py", "/data"], ["python3.11", "-u", "train.py", "(masked)"]),
        (["python", "-m", "my.job", "x"], ["python", "-m", "my.job", "(masked)"]),
        (["python", "-c", "import x", "y"], ["python", "-c", "(masked)", "(masked)"]),
        (["python", "-W", "ignore", "a.py"], ["python", "-W", "(masked)", "a.py"]),
        (["java", "-cp", "/a:/b", "Main", "bob"], ["java", "-cp", "/a:/b", "Main", "(masked)"]),
        (["java", "-jar", "a.jar", "bob"], ["java", "-jar", "a.jar", "(masked)"]),
        (["java", "-Danything=x", "Main"], ["java", "-Danything=(masked)", "Main"]),
        (["serve", "hunter2", "--port", "8020"], ["serve", "(masked)", "--port", "8020"]),
        (["serve", "--motto", "hunter2"], ["serve", "--motto", "(masked)"]),
        (["serve", "--db-password=x"], ["serve", "--db-password=(masked)"]),
        (["serve", "--api-key", "x.py", "y"], ["serve", "--api-key", "(masked)", "(masked)"]),
        (["serve", "--token", "--verbose"], ["serve", "--token", "--verbose"]),
        (["serve", "-phunter2", "-p", "hunter2"], ["serve", "(masked)", "-p", "(masked)"]),
        (["serve", "--url=hdfs://me:pw@host/x"], ["serve", "--url=(masked)"]),
        (["hdfs://me:pw@host/x"], ["hdfs://(masked)@host/x"]),
        ([""], [""]),
        ([], []),
    ],
)
def test_command_lines_lose_what_may_be_secret(words: list[str], shown: list[str]) -> None:
    assert mask_command(words) == shown
    assert mask_command(shown) == shown


def test_prose_and_measurements_stay() -> None:
    for text in (
        "Java heap space: failed reallocation of scalar replaced objects",
        "took 12 ms -- count=5, size = 7, rate: 3",
        "use --force when needed",
        "JNI global refs: 2185, weak refs: 0",
    ):
        assert scrub(text) == text


def test_whatever_is_scrubbed_looks_suspicious() -> None:
    """`SUSPICIOUS` saves the time of `scrub`; what it lets through, `scrub` must not change."""
    suspicious = re.compile(SUSPICIOUS, re.IGNORECASE)
    rng = random.Random(1)
    pieces = [
        "password", "db.password", "token", "--token", "-p", "-D", "=", ":", " ", "@", "://", "abc", "hunter2",  # noqa: E501
        "me:x@", '"', "'", "Bearer ", "aGVsbG8gd29ybGQ9MTIz", "-----BEGIN KEY-----", "AKIAABCDEFGHIJKLMNOP",
        "xoxb-123456789", "sk-abcdefghijklmnopq", "0123456789abcdef" * 2, "3f2504e0-4f89-11d3-9a0c-0305e82c3301",  # noqa: E501
        "-javaagent:x=", "-XX:", "pin", "sig", "pw", ";", "/", "\\", "x1Y2z3A4b5C6d7E8f9G0", "\n", "(", "key",
    ]  # fmt: skip
    changed = 0
    for _ in range(20_000):
        text = "".join(rng.choices(pieces, k=rng.randint(1, 6)))
        if scrub(text) != text:
            changed += 1
            assert suspicious.search(text), text
    assert changed > 3000


def test_whatever_names_a_secret_has_one_of_the_words() -> None:
    """`SECRET_WORDS` saves looking at millions of keys; a name without any must name no secret."""
    rng = random.Random(2)
    pieces = [
        "db",
        ".",
        "_",
        "Pass",
        "WORD",
        "pw",
        "d",
        "pin",
        "sig",
        "nature",
        "auth",
        "or",
        "key",
        "set",
        "x",
    ]
    pieces += [
        "jwt",
        "salt",
        "tok",
        "en",
        "cred",
        "session",
        "private",
        "cookie",
        "bearer",
        "se",
        "cret",
        "1",
    ]
    pieces += ["0", "27", "\u0664"]
    named = 0
    for _ in range(20_000):
        name = "".join(rng.choices(pieces, k=rng.randint(1, 4)))
        # Numbers are one to it, whatever they are.
        assert names_secret(name) == _names_secret(name), name
        if names_secret(name):
            named += 1
            assert any(word in name.lower() for word in SECRET_WORDS), name
    assert named > 3000


def _names_secret(name: str) -> bool:
    left = _NO_SECRET_WORD.sub("", name)
    return _SECRET_WORD.search(name) is not None and _SECRET_WORD.search(left) is not None
