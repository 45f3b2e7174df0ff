"""Compiled kernels without the compiler.

numba compiles a kernel once; importing numba and making it ready takes 0.3 s, as long as a
gigabyte of dump.  So the machine code is kept in the user's cache folder and later runs load
it with llvmlite alone (0.04 s).  Where anything about that fails, numba is asked as usual, and a
warning says why.

The first commands with an empty cache would compile one kernel after the other, for some 40 seconds on
one core.  So the process that finds them missing starts others (`call_help`), which compile the longest
first; a kernel that somebody compiles already is waited for, and meanwhile another one is compiled.

A wheel brings machine code for usual processors with it (`heapscope.kernel_build`), so that whoever
installs one never waits for the compiler.

The code of a kernel is keyed by its source, signature, processor and compiler, so that none
is ever used for another.  ``NUMBA_DISABLE_JIT=1`` runs kernels as plain Python and
``NUMBA_BOUNDSCHECK=1`` with every index checked; both bypass the cache.
"""

from __future__ import annotations

import atexit
import ctypes
import hashlib
import logging
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any

from heapscope.cache import kernel_cache_dir
from heapscope.isolated_python import isolated_python
from heapscope.kernel_claim import claim
from heapscope.kernel_files import parts_of, read_code, read_shared_code, why_not_run, write_code
from heapscope.kernel_target import Target, portable_target
from heapscope.memory_limits import free_memory
from heapscope.ownership import why_not_ours

# Where kernels are declared, in the order in which a report needs them.
MODULES = (
    "heapscope.parser.kernels",
    "heapscope.parser.layout.kernels",
    "heapscope.heap.graph.kernels",
    "heapscope.heap.objects.kernels",
    "heapscope.heap.retention.kernels",
    "heapscope.analysis.growth.kernels",
    "heapscope.parser.broken.kernels",
    "heapscope.parser.redaction.kernels",
)
# Those of a report that take longest to compile, measured: 1.8 s down to 0.4 s.
LONGEST = (
    "fill_columns",
    "fill_references",
    "scan_heap",
    "mark_addresses",
    "list_records",
    "semidominators",
    "sum_paths",
    "depth_first",
    "compose_paths",
    "label_pairs",
    "strings_with_words",
)
# Those that a report of the sample dumps does not need come last.
RARE = frozenset(
    {"check", "class_paths", "collect", "collect_ids", "drop_lost", "expand_ids", "fill_bloom", "find_bytes"}
    | {"find_object", "largest_of_classes", "link_children", "name_references", "retained_by_group"}
)
# What is missing below this is compiled without help.
FEW = 4
MOST_HELPERS = 3
HELPER_BYTES = 300 << 20  # numba and LLVM at work take 190 to 260 MB
# So long somebody else's compiling is waited for: he may be suspended.  The longest takes 8 s alone.
PATIENCE_SECONDS = 60.0
JOBS_VARIABLE = "HEAPSCOPE_COMPILE_JOBS"
# Part of every key: another way to build machine code of the same source.
_FORMAT = b"2"

_SCALARS = {"i8": ctypes.c_int64}
_POINTER = ctypes.c_void_p
_LENGTH = ctypes.c_int64
_lock = Lock()
_log = logging.getLogger("heapscope")
_has_told = False
_is_compiling = False  # changes under _lock


class Kernel:
    """A compiled function that returns an int64; call it with arrays and integers.

    Parameters
    ----------
    module : str
        The module that has the function, decorated with ``numba.njit``; it is imported only to
        compile.
    name : str
        The function.
    signature : str
        Types of the arguments, separated by blanks: ``i8`` for an integer, ``u1[]`` (``i8[]``,
        ``u8[]``, ...) for a C-contiguous array of one dimension, ``u8[4]`` for one of shape
        (n, 4).

    Raises
    ------
    TypeError
        On a call with arrays of another dtype or layout: the machine code would misread them.
    """

    def __init__(self, module: str, name: str, signature: str) -> None:
        self.module = module
        self.name = name
        self.kinds = signature.split()
        self._call: Callable[..., int] | None = None

    def __call__(self, *args: Any) -> int:
        return (self._call or self._ready())(*args)

    def _ready(self) -> Callable[..., int]:
        with _lock:
            if self._call is None:
                self._call = self._compiled() if _is_cacheable() else self._checked()
        return self._call

    def _function(self) -> Callable[..., int]:
        found: Callable[..., int] = getattr(import_module(self.module), self.name)
        return found

    def _checked(self) -> Callable[..., int]:
        """The function as plain Python, or compiled anew with every index checked."""
        import numpy as np

        # Hashes multiply modulo 2**64; as plain Python numpy would warn of that.
        return np.errstate(over="ignore")(self._function())

    def _compiled(self) -> Callable[..., int]:
        global _is_compiling
        try:
            kept = self._kept()
            _is_compiling = kept is None
            address = _link(*(kept or self._made()))
        except Exception as error:
            # Another numba, say: slower, and the same result.
            _log.warning("kernel %s: %r; numba compiles it anew in each process", self.name, error)
            return self._function()
        finally:
            _is_compiling = False
        return self._native(address)

    def is_kept(self) -> bool:
        """Whether its machine code is kept already."""
        return self._kept() is not None

    def keep(self, folder: Path | None = None) -> bool:
        """Compile and keep it, unless it is kept already or another process compiles it; whether it was.

        Raises
        ------
        OSError
            The folder cannot be written to.
        """
        path = self._path() if folder is None else folder / self._path().name
        if (self._kept() if folder is None else read_code(path)) is not None:
            return False
        with claim(path) as is_mine:
            if not is_mine or read_code(path) is not None:
                return False
            write_code(path, self._compile(), for_all=folder is not None)
        return True

    def keep_portable(self, folder: Path) -> None:
        """Keep machine code for every usual processor in a folder, for a wheel.

        Call it in a process whose numba compiles for that target, see `portable_target`.

        Raises
        ------
        OSError
            The folder cannot be written to.
        """
        target = portable_target()
        assert target is not None
        write_code(folder / self._portable_name(target), self._compile(), for_all=True)

    def _kept(self) -> tuple[bytes, str] | None:
        path = self._path()
        found = read_code(path) or read_shared_code(shared_folder() / path.name)
        target = portable_target()
        if found is None and target is not None and target.is_met():
            found = read_shared_code(shared_folder() / self._portable_name(target))
        return found

    def _made(self) -> tuple[bytes, str]:
        """Compile it, or wait until another process has; meanwhile compile something else."""
        path = self._path()
        call_help()
        patience = time.monotonic() + PATIENCE_SECONDS
        while True:
            with claim(path) as is_mine:
                if is_mine or time.monotonic() > patience:
                    if (kept := read_code(path)) is not None:
                        return kept
                    content = self._compile()
                    _try_to_write(path, content)
                    return parts_of(content)
            if (kept := read_code(path)) is not None:
                return kept
            if not compile_another():
                time.sleep(0.02)

    def _path(self) -> Path:
        return Path(kernel_cache_dir()) / f"{self.name}-{self._digest(*_compiler())}.o"

    def _portable_name(self, target: Target) -> str:
        """Without the compiler: machine code needs none, and a wheel meets other versions of it."""
        return f"{self.name}-{self._digest(target.name.encode())}.{target.name}.o"

    def _digest(self, *target: bytes) -> str:
        parts = [_FORMAT, *_sources(self.module), self.name.encode(), " ".join(self.kinds).encode(), *target]
        return hashlib.sha256(b"\0".join(parts)).hexdigest()[:24]

    def _compile(self) -> bytes:
        """Symbol, newline, object code."""
        # Any: numba's type hints lack carray and the two options below.
        numba: Any = import_module("numba")
        dimensions = [(i, kind.partition("[")) for i, kind in enumerate(self.kinds)]
        parameters: list[str] = []
        arguments: list[str] = []
        types: list[Any] = []
        for i, (unit, bracket, width) in dimensions:
            if not bracket:
                parameters.append(f"a{i}")
                arguments.append(f"a{i}")
                types.append(numba.int64)
                continue
            parameters += [f"a{i}", f"n{i}"]
            shape = f"(n{i}, {width[:-1]})" if width != "]" else f"n{i}"
            arguments.append(f"carray(a{i}, {shape})")
            types += [numba.types.CPointer(getattr(numba, _NUMBA_TYPES[unit])), numba.int64]
        # A function of pointers around the one of arrays, which numba then inlines.  Its name is no other
        # kernel's: all are linked into one program, and processes count what they compile from one on.
        entry_name = f"{self.name}_{self._digest()}"
        source = f"def {entry_name}({', '.join(parameters)}):\n    return kernel({', '.join(arguments)})\n"
        namespace: dict[str, Any] = {"kernel": self._function(), "carray": numba.carray}
        exec(source, namespace)
        entry = numba.njit(numba.int64(*types), nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)(
            namespace[entry_name]
        )
        (result,) = entry.overloads.values()
        symbol = result.fndesc.llvm_func_name.encode("ascii")
        return bytes(symbol + b"\n" + result.library._get_compiled_object())

    def _native(self, address: int) -> Callable[..., int]:
        types: list[Any] = []
        for kind in self.kinds:
            types += [_POINTER, _LENGTH] if "[" in kind else [_SCALARS[kind]]
        # numba's calling convention: where the result goes, where an exception goes, arguments.
        function = ctypes.CFUNCTYPE(ctypes.c_int32, _POINTER, _POINTER, *types)(address)
        kinds = [
            (_dtype(kind.partition("[")[0]), 1 if kind.endswith("[]") else 2) if "[" in kind else None
            for kind in self.kinds
        ]
        name = self.name

        def call(*args: Any) -> int:
            if len(args) != len(kinds):
                raise TypeError(f"{name} takes {len(kinds)} arguments, {len(args)} given")
            flat: list[int] = []
            for arg, kind in zip(args, kinds, strict=True):
                if kind is None:
                    flat.append(int(arg))
                    continue
                if arg.dtype != kind[0] or arg.ndim != kind[1] or not arg.flags.c_contiguous:
                    raise TypeError(f"{name} wants a contiguous {kind[0]} array, not {arg.dtype}{arg.shape}")
                flat.append(arg.ctypes.data)
                flat.append(arg.shape[0])
            result, exception = ctypes.c_int64(), ctypes.c_void_p()
            status = function(ctypes.addressof(result), ctypes.addressof(exception), *flat)
            if status:
                raise RuntimeError(f"kernel {name} failed with status {status}")
            return result.value

        return call


_NUMBA_TYPES = {
    "u1": "uint8",
    "u2": "uint16",
    "i4": "int32",
    "u4": "uint32",
    "i8": "int64",
    "u8": "uint64",
}


def _dtype(unit: str) -> Any:
    import numpy as np

    return np.dtype(unit)


def _is_cacheable() -> bool:
    flags = ("NUMBA_DISABLE_JIT", "NUMBA_BOUNDSCHECK")
    return not any(os.environ.get(flag, "0") not in ("", "0") for flag in flags)


def is_compiled() -> bool:
    """Whether kernels were compiled before; else the first work waits up to a minute for them."""
    return not _is_cacheable() or all(each.is_kept() for each in usual_kernels()[: len(LONGEST)])


def is_compiling() -> bool:
    """Whether this process compiles a kernel at this moment, or waits for one."""
    return _is_compiling


_KERNEL_IMPORT = re.compile(r"^from (heapscope[\w.]*) import (.*)$", re.MULTILINE)


@cache
def _sources(module: str) -> tuple[bytes, ...]:
    """Source of a kernel module and of the kernel modules that it imports.

    A kernel inlines helpers and constants of those, and functions and constants of the plain modules
    that they import, so all of these decide its machine code.
    """
    found: dict[str, bytes] = {}
    pending = [module]
    while pending:
        name = pending.pop()
        if name in found:
            continue
        spec = find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        found[name] = Path(spec.origin).read_bytes()
        if not name.endswith("kernels"):
            continue
        for package, names in _KERNEL_IMPORT.findall(found[name].decode()):
            modules = [f"{package}.{each.strip()}" for each in names.split(",")]
            pending += [each for each in modules if each.endswith("kernels")] or [package]
    return tuple(found[name] for name in sorted(found))


@cache
def _compiler() -> tuple[bytes, ...]:
    """What, beside the source, decides the machine code."""
    import llvmlite
    from llvmlite import binding

    # Read, not imported: that would cost what this module saves.
    spec = find_spec("numba")
    numba_version = b""
    if spec is not None and spec.origin:
        numba_version = (Path(spec.origin).parent / "_version.py").read_bytes()
    features = binding.get_host_cpu_features().flatten()
    return (
        numba_version,
        llvmlite.__version__.encode(),
        binding.get_host_cpu_name().encode(),
        features.encode(),
    )


@cache
def _engine() -> Any:
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    # Left in the object code, never called: kernels own no memory.
    binding.add_symbol(
        "NRT_MemInfo_call_dtor", ctypes.cast(ctypes.pythonapi.Py_IsInitialized, _POINTER).value or 0
    )
    machine = binding.Target.from_default_triple().create_target_machine(jit=True)
    return binding.create_mcjit_compiler(binding.parse_assembly(""), machine)


def _link(code: bytes, symbol: str) -> int:
    from llvmlite import binding

    engine = _engine()
    engine.add_object_file(binding.ObjectFileRef.from_data(code))
    engine.finalize_object()
    address = engine.get_function_address(symbol)
    if not address:
        raise LookupError(symbol)
    return int(address)


def shared_folder() -> Path:
    """Where an installation may have machine code for all its users; see `heapscope.kernel_build`."""
    return Path(__file__).parent / "_machine_code"


def _try_to_write(path: Path, content: bytes) -> None:
    """Keep machine code; where that cannot be, say so once: each command would compile it again."""
    global _has_told
    try:
        write_code(path, content)
        if read_code(path) is None:
            raise PermissionError(f"{why_not_run(path)}, who could put other code there")
    except OSError as error:
        if not _has_told:
            _has_told = True
            _log.warning(
                "compiled loops cannot be kept (%s): each command compiles them anew; name a folder with "
                "HEAPSCOPE_CACHE_DIR, or run python -m heapscope.kernel_build --shared once",
                error,
            )


# -- several processes compile ------------------------------------------------------------------


@cache
def usual_kernels() -> tuple[Kernel, ...]:
    """The kernels that dumps below 4 GiB need: the longest to compile first, what few need last."""
    found = [variants[0] for module in MODULES for variants in _variants(module)]
    rank = {name: place for place, name in enumerate(LONGEST)} | dict.fromkeys(RARE, len(LONGEST) + 1)
    return tuple(sorted(found, key=lambda each: rank.get(each.name, len(LONGEST))))


def all_kernels() -> list[Kernel]:
    """Every kernel with every width of integers."""
    return [each for module in MODULES for variants in _variants(module) for each in variants]


def _variants(module: str) -> Iterator[list[Kernel]]:
    """The kernels of a module; of one with several widths the narrow first, as it is declared."""
    for value in vars(import_module(module)).values():
        if isinstance(value, Kernel):
            yield [value]
        elif isinstance(value, dict) and value and all(isinstance(each, Kernel) for each in value.values()):
            yield list(value.values())


def compile_another() -> bool:
    """Compile a kernel that is missing and that nobody compiles; whether there was one."""
    return any(each.keep() for each in usual_kernels())


@cache
def call_help() -> None:
    """Start processes that compile what is missing, one for each other core; they end with this process."""
    import subprocess

    if not _can_keep(Path(kernel_cache_dir())):
        return  # nobody could take over what they compile
    missing = sum(not each.is_kept() for each in usual_kernels())
    if missing <= FEW:
        return
    free = free_memory()
    room = MOST_HELPERS if free is None else free // HELPER_BYTES - 1  # this process compiles as well
    for _ in range(min(_jobs() - 1, MOST_HELPERS, room)):
        with suppress(OSError):
            helper = subprocess.Popen(
                isolated_python("heapscope.kernel_build", "--for", str(os.getpid())),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            atexit.register(_end, helper)


def _can_keep(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return not why_not_ours(folder) and os.access(folder, os.W_OK | os.X_OK)
    except OSError:
        return False


def _jobs() -> int:
    with suppress(ValueError):
        return int(os.environ.get(JOBS_VARIABLE, ""))
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _end(helper: Any) -> None:
    helper.terminate()
    helper.wait()
