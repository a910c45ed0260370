"""Prints the sizes and shares that the style guide bounds, and fails where a bound is broken.

Bounds: no file over 600 lines without a reason in shape.toml, no function over 80 lines. Figures
are of the source alone; tests, in files of their own or at the end of a source file, only count
towards the ratio of tests to source.
"""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

MAX_FILE_LINES = 600
MAX_FUNCTION_LINES = 80
ROOT = Path(__file__).parent.parent
# Name of the part, its source, its tests.
PARTS = [
    ("core", ("crates/roundel/src/",), ("crates/roundel/tests/",)),
    ("Python face", ("crates/roundel-python/src/", "python/"), ("tests/python/", "tests/parity/")),
]

# What must not be read as code: comments, strings and characters (but not lifetimes).
RUST_OPAQUE = re.compile(
    r"""//[^\n]* | /\*.*?\*/ | b?r(?P<hashes>\#*)".*?"(?P=hashes) | b?c?"(?:\\.|[^"\\])*" """
    r"""| b?'(?:\\.[^']*|[^'\\])'""",
    re.DOTALL | re.VERBOSE,
)
RUST_TESTS = re.compile(r"^#\[cfg\((?:all\()?test\b[^\n]*\n(?:#[^\n]*\n)*mod \w+ \{", re.MULTILINE)
RUST_FUNCTION = re.compile(r"\bfn\s+(\w+)[^;{]*\{")
UNSAFE = re.compile(r"\bunsafe\s*(?:\{|impl\b)")


@dataclass
class File:
    """What there is to know of one source file."""

    path: str
    source: list[str]  # lines, tests cut off
    test_lines: int
    functions: list[tuple[str, int]]  # names and lines
    doc_lines: int = 0
    unsafe: list[bool] = field(default_factory=list)  # for each use, whether it is explained
    panics: int = 0


def matching_brace(code: str, start: int) -> int:
    """Returns the index of the brace that closes the one at `start`."""
    depth = 0
    for match in re.compile(r"[{}]").finditer(code, start):
        depth += 1 if match[0] == "{" else -1
        if depth == 0:
            return match.start()
    return len(code) - 1


def read_rust(path: str, text: str) -> File:
    """Measures a Rust file."""
    tests = RUST_TESTS.search(text)
    source = text[: tests.start()] if tests else text
    lines = source.splitlines()
    code = RUST_OPAQUE.sub(lambda match: "\n" * match[0].count("\n"), source)
    functions = []
    for match in RUST_FUNCTION.finditer(code):
        end = matching_brace(code, match.end() - 1)
        functions.append((match[1], code.count("\n", match.start(), end) + 1))
    return File(
        path,
        lines,
        text.count("\n") - len(lines),
        functions,
        doc_lines=sum(line.lstrip().startswith(("///", "//!")) for line in lines),
        unsafe=[
            any("SAFETY" in line for line in lines[max(0, number - 6) : number + 3])
            for number, line in enumerate(code.splitlines())
            if UNSAFE.search(line)
        ],
        panics=len(re.findall(r"\.(?:unwrap|expect)\(", code)),
    )


def read_python(path: str, text: str) -> File:
    """Measures a Python file."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = list(ast.walk(ast.parse(text)))
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    docs = [ast.get_docstring(node) for node in nodes if isinstance(node, documented)]
    return File(
        path,
        text.splitlines(),
        0,
        [(node.name, (node.end_lineno or node.lineno) - node.lineno + 1) for node in functions],
        doc_lines=sum(len(doc.splitlines()) for doc in docs if doc),
    )


def tracked_files() -> Iterator[File]:
    """Yields the repository's Rust and Python files."""
    listing = subprocess.run(
        ["git", "ls-files", "*.rs", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for path in listing.stdout.split():
        if (ROOT / path).exists():
            text = (ROOT / path).read_text()
            yield read_rust(path, text) if path.endswith(".rs") else read_python(path, text)


def share(part: int, whole: int) -> str:
    """Returns a percentage, or a dash where there is nothing to share."""
    return f"{100 * part / whole:.0f}%" if whole else "-"


def describe(name: str, files: list[File], test_lines: int) -> str:
    """Returns a row of figures for one part of the tree."""
    sizes = [len(file.source) for file in files]
    source = sum(sizes)
    functions = [length for file in files for _, length in file.functions]
    unsafe = [explained for file in files for explained in file.unsafe]
    cells = [
        f"{source:,}",
        f"{median(sizes):.0f}/{max(sizes)}",
        f"{sum(length > MAX_FUNCTION_LINES for length in functions)}/{len(functions)}; "
        f"{max(functions, default=0)}",
        share(sum(file.doc_lines for file in files), source),
        f"{sum(unsafe)}/{len(unsafe)}",
        f"{1000 * sum(file.panics for file in files) / source:.1f}",
        f"{(test_lines + sum(file.test_lines for file in files)) / source:.2f}",
    ]
    return f"{name:12}" + "".join(f"{cell:>14}" for cell in cells)


def broken_bounds(files: list[File]) -> Iterator[str]:
    """Yields what is too long."""
    reasons = tomllib.loads((ROOT / "shape.toml").read_text())["long-files"]
    for file in files:
        lines = len(file.source) + file.test_lines
        if lines > MAX_FILE_LINES and file.path not in reasons:
            yield f"{file.path}: {lines} lines without a reason in shape.toml"
        for name, length in file.functions:
            if length > MAX_FUNCTION_LINES:
                yield f"{file.path}: {name} has {length} lines"
    paths = {file.path for file in files}
    yield from (f"shape.toml: there is no {path}" for path in reasons if path not in paths)


def main() -> int:
    """Prints the table; returns the exit code."""
    files = list(tracked_files())
    columns = ["lines", "median/max", "fn >80; max", "doc", "SAFETY", "panics/kloc", "test/src"]
    print(f"{'':12}" + "".join(f"{column:>14}" for column in columns))
    for name, source, tests in PARTS:
        part = [file for file in files if file.path.startswith(source)]
        test_lines = sum(len(file.source) for file in files if file.path.startswith(tests))
        if part:
            print(describe(name, part, test_lines))
    broken = list(broken_bounds(files))
    print(*broken, sep="\n")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
