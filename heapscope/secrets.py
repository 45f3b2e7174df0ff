"""Secrets kept out of reports.

A heap holds the process's environment and system properties, and a report is made to be passed
on.  So a value is shown only where its name is known to matter for a diagnosis or to be
harmless, and what looks like a secret inside a shown value is taken out.  Every other value is
replaced by its length.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

MASKED = "(masked)"


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Shown although the name may hold one of the words below: paths and modes, never the secret.
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
_HARMLESS_VALUES = _names("true false yes no on off none null kerberos simple")

_OPTIONS_NAME = re.compile(r"(?:.*_)?(?:OPTS|OPTIONS)")
_OPTION_WORD = re.compile(r"""(?:"[^"]*"?|'[^']*'?|[^\s"'])+""")
_DEFINITION = re.compile(r"""["']?-D(?P<name>[^=\s]+)=(?P<value>.*)""", re.DOTALL)
_AGENT = re.compile(r"(-(?:javaagent|agentlib|agentpath):[^=]*=).+", re.DOTALL)

_PEM = re.compile(r"-----BEGIN [^-]*-----.*?(?:-----END [^-]*-----|\Z)", re.DOTALL)
# Possessive, and begun only where a chunk begins: one pass, whatever the text.
_URL = re.compile(r"(?<=://)[^\s\"'<>]++")
_BEFORE_AT = re.compile(r"(?<![^\s/@\"'])[^\s/@\"']++@")
_ORACLE_USER = re.compile(r"(?<=:)\w+/[^\s/@\"']+@")
_NAME = re.compile(r"""(?<![\w.\-])(?P<name>[\w.\-]++)(?P<between>\\?["']?\s*[=:]\s*)""")
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

    Returns
    -------
    str
        The value itself; the value with its secrets replaced by ``(masked)``; or its length only,
        ``(masked, 32 characters; --show-secrets shows it)``.
    """
    if not value:
        return value
    if not _is_shown(name):
        return _masked_whole(value)
    if name == "sun.java.command":
        return _mask_arguments(value)
    return scrub_options(value) if _OPTIONS_NAME.fullmatch(name) else scrub(value)


def mask_mapping(values: Mapping[str, str]) -> dict[str, str]:
    """`mask_value` of each, ordered by name."""
    return {name: mask_value(name, values[name]) for name in sorted(values)}


def scrub(text: str) -> str:
    """The text with what looks like a secret replaced by ``(masked)``.

    Users and passwords in URLs, values next to a telling name, PEM blocks, tokens of known issuers,
    and long runs of random characters.
    """
    text = _PEM.sub(MASKED, text)
    text = _URL.sub(lambda match: _without_user(match[0]), text)
    text = _ORACLE_USER.sub(f"{MASKED}@", text)
    text = _BEFORE_AT.sub(_mask_bare_user, text)
    text = _SCHEME.sub(rf"\1 {MASKED}", text)
    text = _ISSUED.sub(MASKED, text)
    text = _mask_named(text)
    text = _mask_after_flags(text)
    text = _UUID.sub(MASKED, text)
    text = _HEX.sub(MASKED, text)
    return _LONG.sub(lambda match: MASKED if _is_random(match[0]) else match[0], text)


def scrub_options(text: str) -> str:
    """JVM options, scrubbed; each ``-Dname=value`` is judged as the system property it becomes."""
    return _OPTION_WORD.sub(lambda match: _mask_option(match[0]), scrub(text))


def _is_shown(name: str) -> bool:
    if name in _DIAGNOSTIC_NAMES or name in _HARMLESS_NAMES or name.upper() == "PATH":
        return True
    return not _SECRET_WORD.search(name) and (
        name.startswith(_SHOWN_PREFIXES) or _OPTIONS_NAME.fullmatch(name) is not None
    )


def _masked_whole(value: str) -> str:
    unit = "character" if len(value) == 1 else "characters"
    return f"(masked, {len(value):,} {unit}; --show-secrets shows it)"


def _mask_arguments(command: str) -> str:
    """The main class or jar; what follows is up to the program and may be anything."""
    main, *arguments = command.split()
    if not arguments:
        return scrub(main)
    unit = "argument" if len(arguments) == 1 else "arguments"
    return f"{scrub(main)} ({len(arguments):,} {unit} masked; --show-secrets shows them)"


def _mask_option(word: str) -> str:
    if agent := _AGENT.fullmatch(word):
        return f"{agent[1]}{MASKED}"
    definition = _DEFINITION.fullmatch(word)
    if definition is None or definition["value"].lower().strip("\"'") in _HARMLESS_VALUES:
        return word
    if _is_shown(definition["name"]):
        return word
    return f"-D{definition['name']}={MASKED}"


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
        if match.start() < position or not _is_secret_name(match["name"]):
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
        quote = value[0][0] if value[0][0] in "\"'" else ""
        pieces += [text[position : match.end()], quote, MASKED, quote]
        position = value.end()
    return "".join([*pieces, text[position:]])


def _is_secret_name(name: str) -> bool:
    name = name.removeprefix("-D")  # a JVM option is read as one name
    return name not in _DIAGNOSTIC_NAMES and _SECRET_WORD.search(name) is not None


def _mask_after_flags(text: str) -> str:
    """``--token abc`` -> ``--token (masked)``."""
    words = re.split(r"(\s+)", text)
    is_secret = False
    for index in range(0, len(words), 2):  # the gaps between them are at odd places
        word = words[index]
        if is_secret and word:
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
