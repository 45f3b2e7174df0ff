"""Which values may be shown: the one policy for sidecars, ``ps``, reports, logs and tables.

All of these are made to be passed on, and environments, system properties and command lines hold passwords.
The rules:

- An environment variable or a system property (also as ``-Dname=value``) is shown if its name is known to
  matter for a diagnosis or to be harmless, or if its value is a switch: ``true``, ``off`` (`mask_value`).
- An option of the JVM (``-XX:Name=value``) is shown if its value is a number or a switch, or if its name is
  known to take a path or a mode.  Options of agents are masked.
- An option of a program (``--name=value``, ``--name value``) is shown if its name is known, or if its value
  is a number or a switch and its name does not tell of a secret.
- An argument that belongs to no option is masked; the program or main class is shown (`mask_command`).
- What looks like a secret is masked in everything that is shown, and in free text (`scrub`).

`tests/unit/test_secrets.py` has the table of what is shown and what is masked, for every reader.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import PurePath
from typing import NamedTuple

MASKED = "(masked)"


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Shown although the name may hold one of the words below: paths and modes, never the secret itself.  The
# leak of libhdfs is recognised by the names of ticket cache, user and authentication.
_DIAGNOSTIC_NAMES = _names(
    """
    CLASSPATH CONTAINER_ID CUDA_VISIBLE_DEVICES JAVA_HOME JAVA_OPTS JAVA_TOOL_OPTIONS JDK_JAVA_OPTIONS
    KERB_TICKET_CACHE_PATH KRB5CCNAME KRB5_CONFIG KRB5_KTNAME LD_LIBRARY_PATH LD_PRELOAD LIBHDFS_OPTS
    OMP_NUM_THREADS PYTHONPATH SPARK_HOME TF_CONFIG VIRTUAL_ENV _JAVA_OPTIONS
    HADOOP_TOKEN_FILE_LOCATION KEYRING
    hadoop.security.authentication hadoop.security.authorization
    java.security.auth.login.config javax.security.auth.useSubjectCredsOnly
    sun.security.krb5.debug
    """
)
# user.name: libhdfs keeps file systems by user, so the diagnosis of its leak names the user.
_HARMLESS_NAMES = _names(
    """
    HOME HOSTNAME LANG LANGUAGE LOGNAME OLDPWD PATH PWD SHELL SHLVL TERM TMPDIR TZ USER _
    file.encoding file.separator ftp.nonProxyHosts http.nonProxyHosts line.separator native.encoding
    path.separator stderr.encoding stdin.encoding stdout.encoding user.country user.dir user.home
    user.language user.name user.region user.script user.timezone user.variant
    """
)
_SHOWN_PREFIXES = ("HADOOP_", "LC_", "MALLOC_", "TF_", "hadoop.", "java.", "jdk.", "os.", "sun.")
_SECRET_WORD = re.compile(
    r"auth|bearer|cookie|cred|jwt|key|pass|pin$|private|pwd?$|pwd|salt|secret|session|sig$|signature|token",
    re.IGNORECASE,
)
# One of these is in whatever `_SECRET_WORD` finds.
SECRET_WORDS = (
    "auth", "bearer", "cookie", "cred", "jwt", "key", "pass", "pin", "private", "pwd", "pw", "salt", "secret",
    "session", "sig", "token",
)  # fmt: skip
_DIGITS = re.compile(r"[0-9]+")
_SHAPES_WITH_DIGITS = frozenset(
    _DIGITS.sub("0", name) for name in _DIAGNOSTIC_NAMES | _HARMLESS_NAMES if _DIGITS.search(name)
)
_NO_SECRET_WORD = re.compile(
    r"author(?!i[sz])(?:it(?:y|ies))?s?|keysets?|keytype|passes|compass|passive", re.IGNORECASE
)
# What every rule of `scrub` needs: a mark, the beginning of an issued token, a telling name before a value,
# or a long run.  Case does not matter.  For RE2, which takes 0.1 microseconds a text where Python takes 14.
SUSPICIOUS = (
    r"@|://|-----|(?:^|[^\w.])-[A-Za-z\-]|[0-9a-f]{8}-|xox[a-z]-|glpat-|sk-"
    r"|(?:auth|bearer|cookie|cred|jwt|key|pass|pin|private|pwd?|salt|secret|session|sig|token)"
    r"[\w.\-]*\\?[\"']?\s*[=:]"
    r"|(?:bearer|basic|digest|negotiate)\s|AKIA|ASIA|AROA|AIDA|ya29|hv[sbr]\.|eyJ|[A-Za-z0-9+/_=\-]{20}"
)
_HARMLESS_VALUES = _names("true false yes no on off none null kerberos simple")
_NUMBER = re.compile(r"[+-]?\d[\d.]*[kKmMgGtT]?")

# Options of a program whose values are shown: role and hosts of TensorFlow tell which process leaks, class
# path and modules which code runs.
_SHOWN_OPTIONS = _names(
    """
    job_name ps_hosts task_index worker_hosts
    add-exports add-modules add-opens add-reads class-path classpath cp enable-native-access illegal-access
    jar limit-modules module-path patch-module upgrade-module-path
    """
)
# -XX options whose values are paths or modes: where the files of the JVM lie, whether native memory is
# tracked.
_SHOWN_JVM_OPTIONS = _names(
    """
    AOTCache ErrorFile HeapDumpPath LogFile NativeMemoryTracking
    SharedArchiveFile
    """
)
_JVM_SWITCH = re.compile(
    r"-(?:X.*|D[^=]*|(?:ea|esa|da|dsa)(?::.*)?|verbose(?::.*)?|server|client|version|(?:agentlib|agentpath"
    r"|javaagent):[^=]*)",
    re.DOTALL,
)
_SWITCH = re.compile(r"--[A-Za-z][\w.\-]*|-[A-Za-z]{1,2}")
_OPTION = re.compile(r"--?[A-Za-z]")
_OPTIONS_NAME = re.compile(r"(?:.*_)?(?:OPTS|OPTIONS)")
_OPTION_WORD = re.compile(r"""(?:"[^"]*"?|'[^']*'?|[^\s"'])+""")
# Begun only where a word begins, and ended with it: one pass, whatever the text.
_AGENT = re.compile(
    r"""(?<![^\s"'])(?P<agent>-(?:javaagent|agentlib|agentpath):[^=\s"']*+=)"""
    r"""(?:"[^"]*"?|'[^']*'?|[^\s"'])++"""
)
# Of Python and of shells: code, a kind of warnings, a mode.  The next word is not the script.
_OPTIONS_WITH_VALUE = _names("-c -W -X")
_PYTHON = re.compile(r"python[\d.]*")
_SCRIPT = re.compile(r".+\.(?:jar|js|pl|py|pyc|r|rb|sh|war)", re.IGNORECASE)

_PEM = re.compile(r"-----BEGIN [^-]*-----.*?(?:-----END [^-]*-----|\Z)", re.DOTALL)
# Possessive, and begun only where a chunk begins: one pass, whatever the text.
_URL = re.compile(r"(?<=://)[^\s\"'<>]++")
_BEFORE_AT = re.compile(r"(?<![^\s/@\"'])[^\s/@\"']++@")
_ORACLE_USER = re.compile(r"(?<=:)\w+/[^\s/@\"']+@")
_NAME = re.compile(r"""(?<![\w.\-])(?P<name>(?:-XX:)?[\w.\-]++)(?P<between>\\?["']?\s*[=:]\s*)""")
_VALUE = re.compile(r"""\\?"[^"]*"?|'[^']*'?|[^\s"'](?:"[^"]*"?|'[^']*'?|[^\s"'])*""")
_FLAG = re.compile(r"--?[A-Za-z][\w.\-]*")
_SCHEME = re.compile(r"\b(bearer|basic|digest|negotiate)\s+[\w+/=.~-]{8,}", re.IGNORECASE)
# Prefixes that issuers document: AWS, GitHub, GitLab, Slack, Google, HashiCorp Vault, OpenAI-like.
_ISSUED = re.compile(
    r"\b(?:(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{12,}|gh[opsur]_\w{16,}|github_pat_\w{16,}|glpat-[\w-]{12,}"
    r"|xox[a-z]-[\w-]{8,}|AIza[\w-]{20,}|ya29\.[\w-]+|hv[sbr]\.[\w-]{12,}|sk-[\w-]{16,}"
    r"|eyJ[\w-]{6,}\.[\w-]+(?:\.[\w-]*)*)"
)
_UUID = re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", re.IGNORECASE)
_HEX = re.compile(r"(?<![0-9A-Za-z])[0-9A-Fa-f]{32,}(?![0-9A-Za-z])")
_LONG = re.compile(r"[A-Za-z0-9+/_=\-]{20,}")
_RUNS = re.compile(r"[A-Z]+|[a-z]+|[0-9]+")


def mask_value(name: str, value: str) -> str:
    """The value of an environment variable or a system property as a report may show it.

    Parameters
    ----------
    name : str
        Of the variable (``LIBHDFS_OPTS``) or property (``java.vm.name``).
    value : str
        As the process has it.

    Returns
    -------
    str
        The value itself; the value with its secrets replaced by ``(masked)``; or its length only,
        ``(masked, 32 characters; --show-secrets shows it)``.
    """
    if not value or value.lower() in _HARMLESS_VALUES:
        return value
    if not _is_shown(name):
        return mask_whole(value)
    if name == "sun.java.command":
        return _mask_java_command(value)
    if _OPTIONS_NAME.fullmatch(name):
        return " ".join(mask_options(_OPTION_WORD.findall(value)))
    return scrub(value)


def mask_mapping(values: Mapping[str, str]) -> dict[str, str]:
    """Variables or properties by name, each as `mask_value` shows it, ordered by name."""
    return {name: mask_value(name, values[name]) for name in sorted(values)}


def mask_command(words: Sequence[str]) -> list[str]:
    """A command line as it may be shown: program, script or main class, and options.

    >>> mask_command(["python", "train.py", "--job_name=ps", "--session=abc", "/data", "--token", "xyz"])
    ['python', 'train.py', '--job_name=ps', '--session=(masked)', '(masked)', '--token', '(masked)']

    Parameters
    ----------
    words : sequence of str
        The program and its arguments, as ``/proc/PID/cmdline`` has them.

    Returns
    -------
    list of str
        As many words; those that may be secret are ``(masked)`` or ``--name=(masked)``.
    """
    if not words:
        return []
    program = PurePath(words[0]).name
    is_java, is_python = program in ("java", "javaw"), _PYTHON.fullmatch(program) is not None
    shown = [scrub(words[0])]
    has_main = False
    option = ""  # what the next word may be the value of
    for word in words[1:]:
        if _is_option(word):
            shown.append(_mask_option(word))
            option = "" if "=" in word else word
            continue
        is_module = option == "-m" and (is_java or is_python)
        is_value = (
            is_module or option in _OPTIONS_WITH_VALUE or _is_option_known(option) or _names_secret(option)
        )
        is_main = not has_main and not is_value and (is_java or is_python or bool(_SCRIPT.fullmatch(word)))
        has_main = has_main or is_main or is_module or option in ("-c", "-jar")
        is_shown = is_main or is_module or _is_option_shown(option, word)
        shown.append(scrub(word) if is_shown else MASKED)
        option = ""
    return shown


def mask_options(words: Iterable[str]) -> list[str]:
    """Options of a JVM as they may be shown.

    A JVM prints values without quotes, so a word that does not begin like an option may be the rest of the
    value before it: it is left out behind a value that is masked, and masked behind one that is shown.

    >>> mask_options("-Xmx1g -Djavax.password=a b -XX:+UseG1GC -XX:OnError=x -agentlib:jdwp=y".split())
    ['-Xmx1g', '-Djavax.password=(masked)', '-XX:+UseG1GC', '-XX:OnError=(masked)', '-agentlib:jdwp=(masked)']

    Parameters
    ----------
    words : iterable of str
        Options, as in ``LIBHDFS_OPTS`` or as ``VM.command_line`` answers.
    """
    shown: list[str] = []
    option = ""
    for word in words:
        if _is_option(word):
            shown.append(_mask_option(word))
            option = "" if "=" in word else word
        else:
            is_shown = bool(option) and _is_option_shown(option, word)
            if is_shown or not shown or not shown[-1].endswith(MASKED):
                shown.append(scrub(word) if is_shown else MASKED)
            option = ""
    return shown


def names_secret(name: str) -> bool:
    """Whether a field, a key of a map or a property is called after a secret: ``password``, ``api.token``.

    Stricter than what people type (`mask_value`): who is an author, or which authority serves a URI, is
    no secret, and neither are sets of keys.
    """
    if name in _DIAGNOSTIC_NAMES or name in _HARMLESS_NAMES:
        return False
    # No word has a digit: a map with a million numbered keys asks for one text.
    return _has_secret_word(_DIGITS.sub("0", name))


def is_told_by_digits(name: str) -> bool:
    """Whether `names_secret` may say something else of a name with other digits: of few it does."""
    return _DIGITS.sub("0", name) in _SHAPES_WITH_DIGITS


@lru_cache(maxsize=1 << 12)
def _has_secret_word(name: str) -> bool:
    return (
        _SECRET_WORD.search(name) is not None
        and _SECRET_WORD.search(_NO_SECRET_WORD.sub("", name)) is not None
    )


def mask_text(text: str, name: str = "") -> str:
    """A text of a heap as it may be shown, with its name where it has one.

    Parameters
    ----------
    text : str
        Of a string object.
    name : str
        Of the field, or of the key of a map, that holds it.
    """
    if name and text and names_secret(name) and text.lower() not in _HARMLESS_VALUES:
        return mask_whole(text)
    return scrub(text)


def is_telling(value: str) -> bool:
    """Whether a value that is masked where it stands is one to mask wherever it occurs.

    Not numbers, switches and what is shorter than four characters: every heap is full of them.
    """
    return len(value) >= 4 and value.lower() not in _HARMLESS_VALUES and not _NUMBER.fullmatch(value)


def scrub(text: str) -> str:
    """The text with what looks like a secret replaced by ``(masked)``.

    Users and passwords in URLs, values next to a telling name, options by the rules of this module, PEM
    blocks, tokens of known issuers, and long runs of random characters.
    """
    text = _PEM.sub(MASKED, text)
    text = _URL.sub(lambda match: _without_user(match[0]), text)
    text = _ORACLE_USER.sub(f"{MASKED}@", text)
    text = _BEFORE_AT.sub(_mask_bare_user, text)
    text = _SCHEME.sub(rf"\1 {MASKED}", text)
    text = _ISSUED.sub(MASKED, text)
    text = _AGENT.sub(rf"\g<agent>{MASKED}", text)
    text = _mask_named(text)
    text = _mask_after_flags(text)
    text = _UUID.sub(MASKED, text)
    text = _HEX.sub(MASKED, text)
    return _LONG.sub(lambda match: MASKED if _is_random(match[0]) else match[0], text)


def _is_shown(name: str) -> bool:
    if name in _DIAGNOSTIC_NAMES or name in _HARMLESS_NAMES or name.upper() == "PATH":
        return True
    return not _SECRET_WORD.search(name) and (
        name.startswith(_SHOWN_PREFIXES) or _OPTIONS_NAME.fullmatch(name) is not None
    )


def mask_whole(value: str) -> str:
    """In place of a text that is known to be a secret: its length only."""
    unit = "character" if len(value) == 1 else "characters"
    return f"(masked, {len(value):,} {unit}; --show-secrets shows it)"


def _mask_java_command(command: str) -> str:
    """The main class or jar of ``sun.java.command``, and how many arguments follow.

    The property is one text: where an argument ends cannot be told, so none is shown.
    """
    main, *arguments = command.split()
    if not arguments:
        return scrub(main)
    unit = "argument" if len(arguments) == 1 else "arguments"
    return f"{scrub(main)} ({len(arguments):,} {unit} masked; --show-secrets shows them)"


def _is_option(word: str) -> bool:
    return word in ("-", "--") or _OPTION.match(word.lstrip("\"'")) is not None


def _mask_option(word: str) -> str:
    """One word that begins like an option, in quotes or not; its value may hold blanks."""
    bare = word.strip("\"'")
    agent = _AGENT.match(bare)
    if agent is not None:
        return f"{agent['agent']}{MASKED}"
    name, equals, value = bare.partition("=")
    if equals and not _is_log_option(name) and not _is_option_shown(name, value):
        return f"{name}={MASKED}"
    is_known = equals or _JVM_SWITCH.fullmatch(bare) or _SWITCH.fullmatch(bare) or _is_option_known(bare)
    # -phunter2: the value may follow at once
    return scrub(word) if is_known or bare in ("-", "--") else MASKED


def _is_log_option(name: str) -> bool:
    """Whether an option configures the JVM's log: ``-Xlog:gc*:file=PATH``, more than one name and value."""
    return name.startswith("-Xlog")


def _is_option_known(option: str) -> bool:
    return option.lstrip("-") in _SHOWN_OPTIONS


def _is_option_shown(option: str, value: str) -> bool:
    """Whether the value of an option, given with its dashes, may be shown."""
    value = value.strip("\\\"'")
    if value.lower() in _HARMLESS_VALUES:
        return True
    if option.startswith("-D"):
        return _is_shown(option[2:])
    if option.startswith("-X"):
        return option.removeprefix("-XX:") in _SHOWN_JVM_OPTIONS or _NUMBER.fullmatch(value) is not None
    is_number = _NUMBER.fullmatch(value) is not None and bool(option)
    return _is_option_known(option) or (is_number and not _names_secret(option))


def _without_user(address: str) -> str:
    """What follows ``://``, its user and password masked; a password may hold any character."""
    user, at, rest = address.rpartition("@")
    return f"{MASKED}@{rest}" if at and user else address


def _mask_bare_user(match: re.Match[str]) -> str:
    """``user:password@``; a principal or an address has no colon there."""
    user = match[0][:-1]
    return match[0] if ":" not in user or user.endswith(MASKED) else f"{MASKED}@"


def _mask_named(text: str) -> str:
    """``password=abc`` -> ``password=(masked)``, and the same in JSON, in URLs and after a colon."""
    pieces = []
    position = 0
    for match in _NAME.finditer(text):
        if match.start() < position:
            continue
        is_option = "=" in match["between"] and _OPTION.match(match["name"]) is not None
        if not is_option and not _names_secret(match["name"]):
            continue
        value = _VALUE.match(text, match.end())
        if value is None or text.startswith(MASKED, match.end()):
            continue
        bare = value[0].strip("\\\"'")
        # In lists of paths a colon ends a path: lib/hadoop-auth-3.3.6.jar:/etc/hadoop.
        is_path = match["between"] == ":" and (
            bare.startswith(("/", ".")) or text[max(match.start() - 1, 0)] == "/"
        )
        if is_path or not bare or bare.lower() in _HARMLESS_VALUES:
            continue
        if is_option and (_is_log_option(match["name"]) or _is_option_shown(match["name"], bare)):
            continue
        quote = value[0][0] if value[0][0] in "\"'" else ""
        pieces += [text[position : match.end()], quote, MASKED, quote]
        position = value.end()
    return "".join([*pieces, text[position:]])


def _names_secret(name: str) -> bool:
    """Whether a name, of an option or of a value in a text, tells of a secret."""
    name = name.removeprefix("-D")  # a JVM option is read as one name
    return name not in _DIAGNOSTIC_NAMES and _SECRET_WORD.search(name) is not None


def _mask_after_flags(text: str) -> str:
    """``--token abc`` -> ``--token (masked)``."""
    words = re.split(r"(\s+)", text)
    is_secret = False
    for index in range(0, len(words), 2):  # the gaps between them are at odd places
        word = words[index]
        if is_secret and word and not _is_option(word):
            words[index] = MASKED
        is_secret = bool(_FLAG.fullmatch(word) and _SECRET_WORD.search(word))
    return "".join(words)


def _is_random(text: str) -> bool:
    """Whether a long word is no word: kinds of characters change as in base64, not as in names.

    Upper case, lower case and digits change at 62 % of the places of base64, at 40 % of those of
    lower case letters with digits and at 30 % of base32; in camel case names at 20 to 33 %, with
    few digits.
    """
    whole = _kinds("".join(_RUNS.findall(text)))
    if (
        whole.length >= 32
        and whole.change_share >= 0.4
        and (whole.digit_count >= 3 or whole.change_share >= 0.5)
    ):
        return True
    pieces = map(_kinds, re.split(r"[+/_=\-]", text))
    return any(
        piece.length >= 20
        and (
            piece.change_share >= 0.5
            or (piece.change_share >= 0.3 and piece.digit_count >= 3)
            or piece.digit_run_count >= 4
        )
        for piece in pieces
    )


class _Kinds(NamedTuple):
    length: int
    change_share: float
    digit_count: int
    digit_run_count: int


def _kinds(text: str) -> _Kinds:
    runs = _RUNS.findall(text)
    digits = [run for run in runs if run.isdigit()]
    change_share = (len(runs) - 1) / max(len(text), 1)
    return _Kinds(len(text), change_share, sum(map(len, digits)), len(digits))
