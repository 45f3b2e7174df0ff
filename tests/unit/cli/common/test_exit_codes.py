"""Exit codes: no two mean the same, and the page of the command line names each."""

from __future__ import annotations

import heapscope.cli
from heapscope.cli.common import exit_codes


def test_each_code_is_told_apart_and_described() -> None:
    codes = {name: value for name, value in vars(exit_codes).items() if name.isupper()}
    assert len(codes) == len(set(codes.values())) == 8
    described = [line.split()[0] for line in (heapscope.cli.__doc__ or "").splitlines() if line[:4] == "    "]
    assert {str(code) for code in codes.values()} == {word for word in described if word.isdigit()}
