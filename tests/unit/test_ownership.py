"""Who else could decide what lies at a path."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from heapscope import ownership
from heapscope.kernel_files import read_code, write_code
from heapscope.ownership import why_not_ours

STRANGER = 54321


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A file three folders down, all ours and closed."""
    folder = tmp_path / "above" / "cache" / "kernels"
    folder.mkdir(parents=True, mode=0o700)
    for each in (tmp_path, tmp_path / "above", tmp_path / "above/cache"):
        each.chmod(0o755)
    (folder / "x.o").write_bytes(b"code")
    (folder / "x.o").chmod(0o600)
    return tmp_path


def test_what_only_we_can_write_to_is_ours(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tree / "above/cache/kernels/x.o"
    assert why_not_ours(file) == why_not_ours(file.parent) == ""
    monkeypatch.chdir(tree / "above")
    assert why_not_ours(Path("cache/../cache/kernels/x.o")) == ""
    with pytest.raises(FileNotFoundError):
        why_not_ours(file.with_name("y.o"))


@pytest.mark.parametrize(
    ("name", "mode", "words"),
    [
        ("above", 0o757, "above is open to all users"),
        ("above", 0o1757, ""),  # as /tmp: nobody replaces what is ours there
        ("above/cache", 0o777, "cache is open to all users"),
        ("above/cache/kernels", 0o702, "kernels is open to all users"),
        ("above/cache/kernels/x.o", 0o660, "x.o is open to its group"),
        ("above/cache/kernels/x.o", 0o602, "x.o is open to all users"),
    ],
)
def test_each_step_on_the_way_counts(tree: Path, name: str, mode: int, words: str) -> None:
    (tree / name).chmod(mode)
    why = why_not_ours(tree / "above/cache/kernels/x.o")
    assert why.endswith(words)
    assert bool(why) == bool(words)


def test_the_folder_itself_may_not_be_one_where_all_make_files(tree: Path) -> None:
    (tree / "above/cache").chmod(0o1777)
    assert why_not_ours(tree / "above/cache").endswith("cache is open to all users")


@pytest.mark.parametrize("name", ["above", "above/cache/kernels", "above/cache/kernels/x.o"])
@pytest.mark.skipif(os.geteuid() != 0, reason="takes root to give a file away")
def test_what_belongs_to_another_user_is_not_ours(tree: Path, name: str) -> None:
    os.chown(tree / name, STRANGER, STRANGER)
    assert why_not_ours(tree / "above/cache/kernels/x.o") == f"{tree / name} belongs to another user"


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root to give a link away")
def test_a_strangers_link_does_not_choose_what_is_run(tree: Path) -> None:
    """In a folder where all make files, to a folder of ours with what a stranger wrote and we unpacked."""
    everybody = tree / "tmp"
    everybody.mkdir()
    everybody.chmod(0o1777)
    link = everybody / "cache"
    link.symlink_to("../above/cache")
    assert why_not_ours(link / "kernels/x.o") == ""
    os.lchown(link, STRANGER, STRANGER)
    assert why_not_ours(link / "kernels/x.o") == f"{link} belongs to another user"
    assert why_not_ours(tree / "above/cache/kernels/x.o", links=False) == ""
    os.lchown(link, 0, 0)
    assert why_not_ours(link / "kernels/x.o", links=False) == f"{link} is a link"


def test_links_in_a_circle_have_an_end(tree: Path) -> None:
    (tree / "a").symlink_to("b")
    (tree / "b").symlink_to("a")
    assert why_not_ours(tree / "a").endswith("is a link")


@pytest.mark.parametrize(
    ("members", "acl", "is_ours"),
    [([], [], True), (["eve"], [], False), ([], ["system.posix_acl_access"], False)],
)
def test_a_group_of_one_is_its_only_member(
    tree: Path, monkeypatch: pytest.MonkeyPatch, members: list[str], acl: list[str], is_ours: bool
) -> None:
    """Where the umask is 002, ``~/.cache`` is open to the group that its user has alone."""
    facts = (tree / "above").stat()
    group = type("Group", (), {"gr_name": "me", "gr_mem": members})
    user = type("User", (), {"pw_name": "me"})
    monkeypatch.setattr("heapscope.ownership.grp.getgrgid", lambda gid: {facts.st_gid: group}[gid])
    monkeypatch.setattr("heapscope.ownership.pwd.getpwuid", lambda uid: {facts.st_uid: user}[uid])
    monkeypatch.setattr(os, "listxattr", lambda path: acl)
    (tree / "above").chmod(0o775)
    assert (why_not_ours(tree / "above/cache/kernels/x.o") == "") == is_ours


def test_a_user_that_stands_for_all_unknown_ones_believes_root_only(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ownership, "_OVERFLOW", tree / "overflow")
    monkeypatch.setattr(ownership, "_ALL_USERS", [])  # in a user namespace
    (tree / "overflow").write_text(f"{os.geteuid()}\n")
    assert why_not_ours(tree / "above/cache/kernels/x.o").endswith("belongs to another user")


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root to give files away")
@pytest.mark.parametrize("plant", ["folder above", "link", "file", "folder"])
def test_machine_code_that_a_stranger_planted_is_not_run(tree: Path, plant: str) -> None:
    """All with a right checksum; what is refused is not changed, and what is ours is run."""
    file = tree / "above/cache/kernels/x.o"
    write_code(file, b"symbol\ncode")
    assert read_code(file) == (b"code", "symbol")
    given = {"folder above": tree / "above", "file": file, "folder": file.parent}.get(plant)
    if given is not None:
        os.chown(given, STRANGER, STRANGER)
    else:
        (tree / "above").rename(tree / "elsewhere")
        (tree / "above").symlink_to("elsewhere")
        os.lchown(tree / "above", STRANGER, STRANGER)
    assert read_code(file) is None
