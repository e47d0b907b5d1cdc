from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

import shop.rules

RULES = sorted(Path(shop.rules.__file__).parent.glob("*.py"))
ALLOWED = {"shop.enums", "shop.errors", "shop.money"}


def imported(source: str) -> set[str]:
    """Every module that a file names in an import."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide what is imported"
            modules = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= set(modules) if node.module in {"shop", "shop.rules"} else {str(node.module)}
    return found


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.name)
def test_rules_import_nothing_that_could_reach_a_clock_a_socket_or_a_row(path: Path) -> None:
    for module in imported(path.read_text(encoding="utf-8")):
        is_rule = module.startswith("shop.rules.")
        assert is_rule or module in ALLOWED or module.partition(".")[0] in sys.stdlib_module_names, module
        assert module not in {"time", "socket", "sqlite3", "os", "random"}, module
