"""One digest of code: what was made by code is made again once that code differs, and not once a comment does.

Which modules count is computed from the imports, so that no list of them can be forgotten: imports at a module's top
and inside functions, but not those for type checkers alone.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import re
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

_PACKAGE = "perfcast"
_ROOT = Path(__file__).resolve().parents[1]
_AROUND = ("perfcast", "perfcast.code_digest", "perfcast.progress", "perfcast.pipeline.stage")
"""Modules that no result depends on; the package's own `__init__` imports on demand what it offers."""

_MODULE = re.compile(r"perfcast(\.[a-z_0-9]+)+\.?")
_PARSING = threading.Lock()
"""Python 3.11 fails where two threads build syntax trees at once (SystemError: recursion depth mismatch)."""

_SCHEMA = re.compile(r"[a-z]+\.schema\.(json|yaml)")


@dataclass(frozen=True)
class SourceTree:
    """The package's code below a folder, as it is while this object is used.

    Attributes:
        root: the folder that holds the package.
    """

    root: Path = _ROOT
    _found: dict[str, list[Path]] = field(default_factory=dict, repr=False, compare=False)

    def digest(self, entries: Iterable[str | Path], *, without: Collection[str] = ()) -> str:
        """Return the SHA-256 of modules and of all modules of the package that they import, directly or not.

        Comments, docstrings and layout do not matter. Files that are not Python count where they belong to a package
        that is imported (templates), and where a module names them in full (a schema).

        Args:
            entries: names of modules, such as `perfcast.fit.evaluate`, or paths of scripts and data.
            without: names of modules and packages that do not count, as they are known not to run, nor what only they
                import.

        Raises:
            ModuleNotFoundError: there is no module of an entry's name.
            OSError: a file cannot be read.
            SyntaxError: a module is not valid Python.
        """
        files = {str(path.relative_to(self.root)): path for path in self.files(entries, without=without)}
        digest = hashlib.sha256()
        for name in sorted(files):
            digest.update(f"{name}\0{_of_file(files[name])[0]}\0".encode())
        return digest.hexdigest()

    def files(self, entries: Iterable[str | Path], *, without: Collection[str] = ()) -> set[Path]:
        """Return the files that `digest` reads."""
        closed = {path for name in (*_AROUND, *without) for path in self._all_of(name)}
        found: set[Path] = set()
        waiting = [path for entry in entries for path in self._entry(entry)]
        while waiting:
            path = waiting.pop()
            if path not in found and path not in closed:
                found.add(path)
                waiting += [file for name in _of_file(path)[1] for file in self._files_of(name)]
        return found

    def _entry(self, entry: str | Path) -> list[Path]:
        if isinstance(entry, Path):
            return [entry]
        if not self._module(entry):
            raise ModuleNotFoundError(f"there is no module {entry}")
        return self._files_of(entry)

    def _module(self, name: str) -> list[Path]:
        """Return the one file of a module, of a package its `__init__`; nothing where there is none."""
        place = self.root.joinpath(*name.split("."))
        return [path for path in (place / "__init__.py", place.with_suffix(".py")) if path.is_file()][:1]

    def _all_of(self, name: str) -> Iterable[Path]:
        """Return what goes with a module or package that does not count; of the whole package its `__init__` alone."""
        folder = self.root.joinpath(*name.split("."))
        return self._module(name) if name == _PACKAGE or not folder.is_dir() else folder.rglob("*")

    def _files_of(self, name: str) -> list[Path]:
        """Return the files that stand for a name: a module's, and of each package around it `__init__` and data.

        A name that is not a module is something that a module defines; other packages do not count.
        """
        if name not in self._found:
            self._found[name] = self._resolved(name)
        return self._found[name]

    def _resolved(self, name: str) -> list[Path]:
        if _SCHEMA.fullmatch(name):
            schema = self.root / _PACKAGE / "schemas" / name
            return [schema] if schema.is_file() else []
        parts = name.removesuffix(".*").split(".")
        if parts[0] != _PACKAGE:
            return []
        around = self._files_of(".".join(parts[:-1])) if len(parts) > 1 else []
        place = self.root.joinpath(*parts)
        if place.is_dir():
            return around + _package(place, whole=name.endswith(".*"))
        module = place.with_suffix(".py")
        return [*around, module] if module.is_file() else around


def _of_file(path: Path) -> tuple[str, frozenset[str]]:
    """Return a digest of what a file says, and the modules and schemas that it names."""
    status = path.stat()
    return _read(path, status.st_mtime_ns, status.st_size)


@functools.cache
def _read(path: Path, _modified: int, _size: int) -> tuple[str, frozenset[str]]:
    content = path.read_bytes()
    if path.suffix != ".py":
        return hashlib.sha256(content).hexdigest(), frozenset()
    with _PARSING:
        tree = ast.parse(content)
    # Where docstrings are read they are data.
    text = _dump(tree, b"__doc__" in content)
    return hashlib.sha256(text.encode()).hexdigest(), frozenset(_names(tree))


def _dump(value: Any, with_docstrings: bool) -> str:
    """Return one text of a syntax tree; unlike `ast.dump` the same in each version of Python."""
    # Plain loops: half of the time in which Snakemake reads the workflow goes by in here.
    if isinstance(value, ast.AST):
        fields = []
        for name in value._fields:
            inner = getattr(value, name, None)
            if inner is not None and inner != []:
                fields.append(f"{name}={_dump(inner, with_docstrings)}")
        return f"{type(value).__name__}({','.join(fields)})"
    if isinstance(value, list):
        items = [_dump(item, with_docstrings) for item in value if with_docstrings or not _is_docstring(item)]
        return f"[{','.join(items)}]"
    return repr(value)


def _is_docstring(node: Any) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _names(tree: ast.AST) -> Iterator[str]:
    """Yield the dotted names that a module imports, or names in strings; with `.*` what gives all of a package."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (f"{alias.name}.*" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise SyntaxError("imports must be absolute")
            yield from (f"{node.module}.{alias.name}.*" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if _MODULE.fullmatch(node.value):
                yield f"{node.value.rstrip('.')}.*"
            elif _SCHEMA.fullmatch(node.value):
                yield node.value
        else:
            waiting += _executed(node)


def _executed(node: ast.AST) -> Iterable[ast.AST]:
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        return node.orelse
    return ast.iter_child_nodes(node)


def _package(folder: Path, *, whole: bool) -> list[Path]:
    """Return of a package its `__init__` and data, and where it was imported as an object all that is in it."""
    if folder.name == _PACKAGE:
        return [folder / "__init__.py"]
    found = [folder / "__init__.py"]
    for path in sorted(folder.iterdir()):
        if path.name.startswith((".", "__")):
            continue
        if path.is_dir():
            found += _package(path, whole=whole) if whole or not (path / "__init__.py").exists() else []
        elif whole or path.suffix != ".py":
            found.append(path)
    return [path for path in found if path.exists()]
