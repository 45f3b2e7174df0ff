"""The whole incident in one zip: reports, sidecars, redacted dumps on request, a manifest, checksums.

::

    incident/
      report.html  report.md  report-*.png  report.json  report.pdf
      sidecars/    what ``heapscope collect`` noted of each snapshot, masked
      dumps/       with ``dumps=True``: redacted copies, and class histograms as they are
      manifest.json
      SHA256SUMS   for ``sha256sum -c``

The same snapshots give the same bytes: entries have the time at which the last snapshot was taken, and are
in a fixed order.  Secrets are masked as in reports; no raw dump is ever packed.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from heapscope import __version__
from heapscope.errors import HeapscopeError, HprofError, OutputFailed
from heapscope.files import MODE, check_free, new_file
from heapscope.parser.numbered import numbered
from heapscope.progress import Progress, default_progress
from heapscope.reporter.histogram_text import histogram_text
from heapscope.reporter.incident import Incident, build_incident
from heapscope.reporter.render import ENDINGS, report_files
from heapscope.reporter.text import printable
from heapscope.secrets import mask_command, mask_value, scrub
from heapscope.units import iso_time

if TYPE_CHECKING:
    from heapscope.analysis.growth.snapshot import Snapshot
    from heapscope.analysis.snapshots import Snapshots

SCHEMA_VERSION = 1
FOLDER = "incident"
_DUMP_ENDING = "-redacted.hprof.zst"
_MAX_SIDECAR_BYTES = 1 << 20
_ZIP_YEARS = (1980, 2107)  # that a zip's clock can tell
_BLOCK = 1 << 20

Redact = Callable[[Path, Path], None]


@dataclass(frozen=True, slots=True)
class BundledFile:
    """A file of a bundle."""

    path: str  # in the zip, without its folder
    role: str  # "report", "picture", "sidecar", "redacted dump" or "class histogram"
    file_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class BundledSnapshot:
    """A snapshot that the reports are of; ``sha256`` is of the file that was read, which is not packed."""

    name: str
    kind: str
    captured_at: str
    file_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Bundle:
    """What a bundle holds: its manifest."""

    headline: str
    status: str
    generator: str
    snapshots: tuple[BundledSnapshot, ...]
    files: tuple[BundledFile, ...]
    left_out: tuple[str, ...]  # what is missing, and why


def write_bundle(
    snapshots: Snapshots,
    path: str | os.PathLike[str],
    *,
    patterns: Sequence[str] = (),
    redact: Redact | None = None,
    force: bool = False,
    progress: Progress = default_progress,
) -> Bundle:
    """Pack an incident into a zip that only its owner can read; it appears whole or not at all.

    Parameters
    ----------
    snapshots : Snapshots
        From `heapscope.snapshots`; one at least.
    path : str or path-like
        Ends in ``.zip``.  Missing folders are made.
    patterns : sequence of str
        The watched classes.
    redact : callable, optional
        Writes a redacted copy of the dump at one path to another path, which ends in ``.hprof.zst``; without
        it no dump is packed.
    force : bool
        Whether a file that exists is overwritten.
    progress : Progress
        Told how far the work is.

    Raises
    ------
    HeapscopeError
        Another ending; no snapshot; the zip would overwrite a snapshot.
    OutputExists
        The file is there already, and ``force`` is false.
    OutputFailed
        The system refuses to write.
    """
    path = Path(path)
    if path.suffix.lower() != ".zip":
        raise HeapscopeError(f"{path}: a bundle's name ends in .zip; rename it")
    check_free(path, force)
    if any(os.path.realpath(snapshot.path) == os.path.realpath(path) for snapshot in snapshots):
        raise HeapscopeError(f"{path}: is one of the snapshots; name another file for the bundle")
    incident = build_incident(snapshots, patterns=patterns, progress=progress)
    moment = snapshots[-1].captured_at
    names = _names(snapshots)
    described = tuple(_described(snapshot, name) for snapshot, name in zip(snapshots, names, strict=True))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputFailed(path, error.strerror or str(error)) from error
    with new_file(path, force=force) as file, zipfile.ZipFile(file, "w") as archive:
        packer = _Packer(archive, moment)
        left_out = _pack_reports(packer, incident)
        for number, (snapshot, name) in enumerate(zip(snapshots, names, strict=True)):
            progress("packing", number, len(snapshots))
            _pack_sidecar(packer, snapshot, name)
            if redact is not None:
                left_out += _pack_dump(packer, snapshot, name, redact)
        if redact is None:
            left_out.append("dumps: not asked for (--dumps packs redacted copies)")
        bundle = Bundle(
            incident.headline,
            incident.status,
            f"heapscope {__version__}",
            described,
            tuple(packer.files),
            tuple(left_out),
        )
        packer.close(bundle)
        progress("packing", len(snapshots), len(snapshots))
    return bundle


def render_manifest(bundle: Bundle) -> str:
    """JSON with a ``schema_version``."""
    return json.dumps({"schema_version": SCHEMA_VERSION, "kind": "bundle", **asdict(bundle)}, indent=2) + "\n"


class _Packer:
    """Writes entries, and remembers what they were."""

    def __init__(self, archive: zipfile.ZipFile, moment: datetime) -> None:
        self._archive = archive
        first, last = _ZIP_YEARS
        moment = moment.astimezone(UTC)
        year = min(max(moment.year, first), last)
        self._moment = (year, *moment.timetuple()[1:6])
        self.files: list[BundledFile] = []

    def data(self, name: str, role: str, data: bytes) -> None:
        self._archive.writestr(self._entry(name, zipfile.ZIP_DEFLATED), data)
        self.files.append(BundledFile(name, role, len(data), hashlib.sha256(data).hexdigest()))

    def copy(self, name: str, role: str, source: IO[bytes], size: int) -> None:
        """Pack a file that may be larger than memory, without compressing it again."""
        entry = self._entry(name, zipfile.ZIP_STORED)
        entry.file_size = size
        digest = hashlib.sha256()
        with self._archive.open(entry, "w", force_zip64=size >= zipfile.ZIP64_LIMIT // 2) as target:
            while block := source.read(_BLOCK):
                digest.update(block)
                target.write(block)
        self.files.append(BundledFile(name, role, size, digest.hexdigest()))

    def close(self, bundle: Bundle) -> None:
        """Write the manifest and the checksums, which the manifest does not list."""
        manifest = render_manifest(bundle)
        self._archive.writestr(self._entry("manifest.json", zipfile.ZIP_DEFLATED), manifest)
        sums = [(file.sha256, file.path) for file in self.files]
        sums.append((hashlib.sha256(manifest.encode()).hexdigest(), "manifest.json"))
        lines = "".join(f"{digest}  {name}\n" for digest, name in sums)
        self._archive.writestr(self._entry("SHA256SUMS", zipfile.ZIP_DEFLATED), lines)

    def _entry(self, name: str, compression: int) -> zipfile.ZipInfo:
        entry = zipfile.ZipInfo(f"{FOLDER}/{name}", self._moment)
        entry.compress_type = compression
        entry.create_system = 3  # Unix, wherever it is made
        entry.external_attr = (0o100000 | MODE) << 16
        return entry


def _pack_reports(packer: _Packer, incident: Incident) -> list[str]:
    """Pack all forms of the report; returns what could not be made, and why."""
    left_out = []
    for ending in ENDINGS:
        try:
            files = report_files(incident, Path(f"report{ending}"))
        except HeapscopeError as error:
            if ending != ".pdf":
                raise
            left_out.append(f"report.pdf: {error}")  # no WeasyPrint, no Pango, or too large for pages
            continue
        for path, content in files:
            packer.data(path.name, "picture" if path.suffix == ".png" else "report", content)
    return left_out


def _names(snapshots: Snapshots) -> list[str]:
    """A name for each snapshot's files: all different, of letters, digits, dots, hyphens and underscores."""
    names: list[str] = []
    for snapshot in snapshots:
        plain = "".join(char if char.isalnum() or char in "._-" else "_" for char in snapshot.name)
        name = base = plain.lstrip(".-")[:100] or "snapshot"
        number = 1
        while name.lower() in {taken.lower() for taken in names}:
            number += 1
            name = f"{base}-{number}"
        names.append(name)
    return names


def _described(snapshot: Snapshot, name: str) -> BundledSnapshot:
    with snapshot.path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = file.tell()
    return BundledSnapshot(name, snapshot.kind, iso_time(snapshot.captured_at, "milliseconds"), size, digest)


def _pack_sidecar(packer: _Packer, snapshot: Snapshot, name: str) -> None:
    """Pack what ``heapscope collect`` wrote beside a snapshot; other files of that name are left out."""
    sidecar = snapshot.path.with_name(snapshot.path.name + ".json")
    try:
        if sidecar.stat().st_size > _MAX_SIDECAR_BYTES:
            return
        facts = json.loads(sidecar.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return
    if isinstance(facts, dict):
        text = json.dumps(masked_facts(facts), indent=2) + "\n"
        packer.data(f"sidecars/{name}.json", "sidecar", text.encode())


def masked_facts(facts: Any, name: str = "") -> Any:
    """A sidecar's facts without secrets: variables as a report shows them, every other text scrubbed.

    Parameters
    ----------
    facts : JSON value
    name : str
        Of the field it is the value of.
    """
    if isinstance(facts, dict):
        if name.endswith(("environment", "environ", "properties")):
            return {printable(str(key)): _masked(str(key), value) for key, value in facts.items()}
        return {printable(str(key)): masked_facts(value, str(key)) for key, value in facts.items()}
    if isinstance(facts, list):
        if name == "command":
            return [printable(word) for word in mask_command([str(word) for word in facts])]
        return [masked_facts(value, name) for value in facts]
    return printable(scrub(facts)) if isinstance(facts, str) else facts


def _masked(name: str, value: Any) -> Any:
    return printable(mask_value(name, value)) if isinstance(value, str) else masked_facts(value, name)


def _pack_dump(packer: _Packer, snapshot: Snapshot, name: str, redact: Redact) -> list[str]:
    """Pack a redacted copy. A broken dump is left out: what cannot be read cannot be redacted for sure."""
    if snapshot.kind != "heap dump":
        at = snapshot.captured_at if snapshot.is_dated else None
        text = histogram_text(snapshot.histogram, at, is_cut=snapshot.is_cut)
        packer.data(f"dumps/{name}.histogram.txt", "class histogram", text.encode())
        return []
    with tempfile.TemporaryDirectory(prefix="heapscope-bundle-") as folder:
        copy = Path(folder, f"dump{_DUMP_ENDING}")
        try:
            redact(numbered(snapshot.path, snapshot.number if snapshot.of_count > 1 else None), copy)
        except HprofError as error:
            if snapshot.coverage is None:
                raise
            return [f"dumps/{name}{_DUMP_ENDING}: {printable(str(error))}"]
        with copy.open("rb") as file:
            packer.copy(f"dumps/{name}{_DUMP_ENDING}", "redacted dump", file, copy.stat().st_size)
    return []
