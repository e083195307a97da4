"""Whether a function is still the stub that the notebook hands out.

A stub's body holds nothing but a docstring, `...`, `pass`, a `return` of nothing, or `raise NotImplementedError`
(nbgrader's stub). The source says so: its syntax tree (`ast`) is the same for every Python, comments are not in it, and
Jupyter keeps the source of each cell. Where there is no source (a function made by `exec`), the function is compared
with stubs that the running Python has just compiled.
"""

import ast
import inspect
import types
from collections.abc import Callable

_BODIES = ("...", "pass", "return", "return ...", "raise NotImplementedError", "raise NotImplementedError()")


def is_stub(function: Callable) -> bool:
    """Whether nobody has written anything into the function's body yet."""
    definition = _definition(function)
    if definition is not None:
        return all(map(_says_nothing, definition.body))
    code = getattr(function, "__code__", None)
    return isinstance(code, types.CodeType) and any(_same_code(code, stub) for stub in _compiled(code))


def is_stubs_error(name: str, message: str, source: str) -> bool:
    """Whether an exception is the stub's own `raise NotImplementedError`; torch raises that name, too, with a message.

    `source` is the line that raised it, empty if it is not known.
    """
    if name != "NotImplementedError":
        return False
    return source.startswith("raise NotImplementedError") if source else not message


def source_of(function: Callable) -> str:
    """The function's source. Raises OSError or TypeError where there is none.

    What `exec` makes of text lies in the "file" <string>. Since Python 3.13 `python -c` keeps its own text under that
    name, where `inspect` would find it and take it for the function's.
    """
    code = getattr(inspect.unwrap(function), "__code__", None)
    if code is not None and code.co_filename == "<string>":
        raise OSError(f"{function} was made by exec: there is no source")
    return inspect.getsource(function)


def _definition(function: Callable) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """The function's definition as a syntax tree; None for a lambda, and where there is no source."""
    try:
        source = source_of(function)
        if source[:1].isspace():  # defined inside something else
            source = "if True:\n" + source
        tree = ast.parse(source)
    except (OSError, TypeError, SyntaxError, ValueError):
        return None
    definitions = (part for part in ast.walk(tree) if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef))
    first = next(definitions, None)  # of another name where it is not this function, but a method of this class
    return first if first is not None and first.name == inspect.unwrap(function).__name__ else None


def _says_nothing(statement: ast.stmt) -> bool:
    match statement:
        case ast.Pass() | ast.Expr(ast.Constant(str())) | ast.Return(None):
            return True
        case ast.Expr(value) | ast.Return(value):
            return _is_gap(value)
        case ast.Raise(ast.Name("NotImplementedError") | ast.Call(ast.Name("NotImplementedError")), None):
            return True
    return False


def _is_gap(value: ast.expr) -> bool:
    """`...` or None, or several of them: `return ..., ...`."""
    if isinstance(value, ast.Tuple):
        return bool(value.elts) and all(map(_is_gap, value.elts))
    return isinstance(value, ast.Constant) and (value.value is ... or value.value is None)


def _compiled(code: types.CodeType) -> list[types.CodeType]:
    """Stubs as this Python compiles them; with a docstring too, if the first constant could be one."""
    stubs = [(lambda: ...).__code__, (lambda: None).__code__]
    docstring = code.co_consts[0] if code.co_consts and isinstance(code.co_consts[0], str) else None
    for body in _BODIES:
        text = body if docstring is None else f"{docstring!r}\n {body}"
        scope: dict = {}
        exec(f"def stub():\n {text}", scope)
        stubs.append(scope["stub"].__code__)
    if docstring is not None:
        scope = {}
        exec(f"def stub():\n {docstring!r}", scope)
        stubs.append(scope["stub"].__code__)
    return stubs


def _same_code(code: types.CodeType, stub: types.CodeType) -> bool:
    return (code.co_code, code.co_consts, code.co_names) == (stub.co_code, stub.co_consts, stub.co_names)
