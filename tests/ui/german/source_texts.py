"""What the source of the page says, read without running it: strings with holes for their values.

A string is followed through the function that builds it: branches are alternatives, `+=` in a
branch may happen or not, and what is not known there is a hole.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from itertools import product

HOLE = "\ufffc"
MOST = 400  # alternatives of one string

_SILENT_CALLS = {
    "compile", "debug", "endswith", "error", "exception", "getattr", "info", "partition",
    "removeprefix", "removesuffix", "replace", "rpartition", "split", "startswith", "strftime",
    "warning",
}  # fmt: skip
_SILENT_KEYWORDS = {
    "api_visibility", "categoryorder", "concurrency_id", "datatype", "dtype", "elem_classes",
    "elem_id", "encoding", "feedback_options", "id", "js", "layout", "legend", "line", "marker",
    "mode", "orientation", "show_progress", "show_search", "size", "storage_key", "template",
    "textposition", "tickformat", "trigger_mode", "type", "variant",
}  # fmt: skip
_SAME_AFTER = {"escape", "str"}
Env = dict[str, tuple[str, ...]]


def python_texts(source: str) -> Iterator[str]:
    """Every string that a module makes and that is no key, name or log line."""
    module = ast.parse(source)
    reader = _Reader()
    reader.block(module.body, reader.globals, at_top=True)
    yield from dict.fromkeys(reader.found)


class _Reader:
    def __init__(self) -> None:
        self.found: list[str] = []
        self.globals: Env = {}

    # -- statements ----------------------------------------------------------------------------

    def block(self, body: Sequence[ast.stmt], env: Env, *, at_top: bool = False) -> None:
        for statement in body:
            self._statement(statement, env, at_top)

    def _statement(self, node: ast.stmt, env: Env, at_top: bool) -> None:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            if not isinstance(node, ast.ClassDef):
                for default in (*node.args.defaults, *node.args.kw_defaults):
                    self._visit(default, env)
            self.block(node.body, dict(self.globals))
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if node.value is not None:
                self._assign(targets[0], node.value, env, at_top)
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            added = self.values(node.value, env) or (HOLE,)
            before = env.get(node.target.id, (HOLE,))
            env[node.target.id] = _joined([before, added])
            if self.values(node.value, env) is None:
                self._visit(node.value, env)
            else:
                self._inside(node.value, env)
        elif isinstance(node, ast.If):
            self._visit(node.test, env)
            yes, no = dict(env), dict(env)
            self.block(node.body, yes, at_top=at_top)
            self.block(node.orelse, no, at_top=at_top)
            ends = [_leaves(node.body), _leaves(node.orelse)]
            left = [each for each, gone in zip((yes, no), ends, strict=True) if not gone]
            for name in {*yes, *no}:
                options = [value for each in left for value in each.get(name, ())]
                env[name] = tuple(dict.fromkeys(options))[:MOST]
        elif isinstance(node, ast.Raise):
            if "ChatError" in ast.dump(node):
                self._visit(node.exc, env)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            return  # a docstring
        else:
            for field in ast.iter_child_nodes(node):
                if isinstance(field, ast.stmt):
                    self._statement(field, env, False)
                elif isinstance(field, ast.ExceptHandler):
                    self.block(field.body, env)
                else:
                    self._visit(field, env)

    def _assign(self, target: ast.expr, value: ast.expr, env: Env, at_top: bool) -> None:
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            for each, its in zip(target.elts, value.elts, strict=True):
                self._assign(each, its, env, at_top)
            return
        texts = self.values(value, env)
        if texts is None or not isinstance(target, ast.Name):
            self._visit(value, env)
            if isinstance(target, ast.Name):
                env.pop(target.id, None)
            return
        env[target.id] = texts
        if at_top:
            self.found += texts
        self._inside(value, env)

    # -- expressions ---------------------------------------------------------------------------

    def _visit(self, node: ast.AST | None, env: Env) -> None:
        """Take the strings in an expression that is shown, or whose parts are."""
        if node is None or isinstance(node, (ast.Compare, ast.Subscript)):
            return
        if isinstance(node, ast.expr):
            texts = self.values(node, env)
            if texts is not None:
                self.found += texts
                self._inside(node, env)
                return
        if isinstance(node, ast.Call):
            self._call(node, env)
        elif isinstance(node, ast.Dict):
            for each in (*node.keys, *node.values):
                self._visit(each, env)
        elif isinstance(node, ast.Lambda):
            self._visit(node.body, env)
        else:
            for child in ast.iter_child_nodes(node):
                self._visit(child, env)

    def _call(self, node: ast.Call, env: Env) -> None:
        name = _name(node.func)
        if isinstance(node.func, ast.Attribute):
            self._visit(node.func.value, env)
        if name in _SILENT_CALLS:
            return
        for argument in node.args:
            self._visit(argument, env)
        for keyword in node.keywords:
            if keyword.arg not in _SILENT_KEYWORDS:
                self._visit(keyword.value, env)

    def _inside(self, node: ast.AST, env: Env) -> None:
        """Calls inside a string may be given strings of their own."""
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Call) and _name(child.func) not in _SAME_AFTER:
                self._call(child, env)
            elif isinstance(child, ast.expr):
                self._inside(child, env)

    def values(self, node: ast.expr, env: Env) -> tuple[str, ...] | None:
        """The strings that an expression may be; None when it is none, or nothing is known."""
        if isinstance(node, ast.Constant):
            return (node.value,) if isinstance(node.value, str) else None
        if isinstance(node, ast.JoinedStr):
            return _joined([self._part(part, env) for part in node.values])
        if isinstance(node, ast.Name):
            return env.get(node.id) or self.globals.get(node.id)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return self._either([node.left, node.right], env, _joined)
        if isinstance(node, ast.IfExp):
            return self._either([node.body, node.orelse], env, _any)
        if isinstance(node, ast.BoolOp):
            return self._either(node.values, env, _any)
        return self._made(node, env) if isinstance(node, ast.Call) else None

    def _part(self, part: ast.expr, env: Env) -> tuple[str, ...]:
        inner = part.value if isinstance(part, ast.FormattedValue) else part
        return self.values(inner, env) or (HOLE,)

    def _either(self, nodes: Sequence[ast.expr], env: Env, how: object) -> tuple[str, ...] | None:
        known = [self.values(node, env) for node in nodes]
        if not any(known):
            return None
        return how([each or (HOLE,) for each in known])  # type: ignore[operator]

    def _made(self, node: ast.Call, env: Env) -> tuple[str, ...] | None:
        name = _name(node.func)
        if name in _SAME_AFTER and node.args:
            return self.values(node.args[0], env)
        if name == "count" and len(node.args) == 2 and isinstance(node.args[1], ast.Constant):
            return (f"1 {node.args[1].value}", f"{HOLE} {node.args[1].value}s")
        return None


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _leaves(body: Sequence[ast.stmt]) -> bool:
    return bool(body) and isinstance(body[-1], (ast.Return, ast.Raise, ast.Continue))


def _joined(parts: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    found = ("",)
    for options in parts:
        found = tuple(dict.fromkeys(a + b for a, b in product(found, options)))[:MOST]
    return found


def _any(parts: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for options in parts for text in options))[:MOST]


def script_texts(source: str) -> Iterator[str]:
    """The string literals of a script, templates with holes, and the strings inside those."""
    at = 0
    while at < len(source):
        if source.startswith("//", at):
            at = source.find("\n", at) % (len(source) + 1)
        elif source[at] in "\"'`":
            end, text, inner = _literal(source, at)
            yield text
            for code in inner:
                yield from script_texts(code)
            at = end
        else:
            at += 1


def _literal(source: str, start: int) -> tuple[int, str, list[str]]:
    """Where a literal ends, its text, and the code in its `${}`."""
    quote, at, text, inner = source[start], start + 1, "", []
    while at < len(source) and source[at] != quote:
        if source[at] == "\\":
            text, at = text + source[at + 1], at + 2
        elif quote == "`" and source.startswith("${", at):
            end = _closing(source, at + 2)
            inner.append(source[at + 2 : end])
            text, at = text + HOLE, end + 1
        else:
            text, at = text + source[at], at + 1
    return at + 1, text, inner


def _closing(source: str, at: int) -> int:
    depth = 0
    while source[at] != "}" or depth:
        if source[at] in "\"'`":
            at = _literal(source, at)[0]
        else:
            depth += {"{": 1, "}": -1}.get(source[at], 0)
            at += 1
    return at


def pieces(text: str) -> Iterator[str]:
    """The texts of a string: between its tags, in the attributes that are read out, by line."""
    for named in re.finditer(r'(?:aria-label|title|placeholder|data-idle)="([^"]*)"', text):
        yield from _lines(named[1])
    for part in re.split(r"<[^<>]*>", text):
        yield from _lines(part)


def _lines(text: str) -> Iterator[str]:
    for line in text.splitlines():
        plain = " ".join(line.replace("&lt;", "<").replace("&amp;", "&").split())
        yield re.sub(r"^#+ |^\*+|\*+$|^· ", "", plain).strip()
