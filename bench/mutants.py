"""`python -m bench.mutants`: mutation testing of the lifecycle; lists the mutants that survive.

A mutant is the lifecycle with one change: a row of `TABLE` dropped, redirected, added, or its `to` narrowed or
widened; a field of a verdict changed; a comparison, number, string or statement of a file of `lifecycle/`
changed. The lifecycle's tests run against each mutant; one that passes them all survives. Some survivors are equivalent
to the original. Mutants exist in memory only: no file is touched.
"""

import argparse
import ast
import copy
import importlib.util
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import hypothesis.stateful  # noqa: F401 - imported once, for every mutant's process
import pytest
from hypothesis.configuration import set_hypothesis_home_dir

from controller.accounts.lifecycle.table import TABLE, Row
from controller.accounts.model import Phase, Stage, Timer
from controller.accounts.policy import Policy
from controller.accounts.reasons import VERDICTS, State, Then

ROOT = Path(__file__).parent.parent
TESTS = ("tests/controller/accounts/lifecycle",)
TABLE_FILE, REASONS = "controller/accounts/lifecycle/table.py", "controller/accounts/reasons.py"
LIFECYCLE = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / TABLE_FILE).parent.glob("*.py"))


@dataclass(frozen=True)
class Mutant:
    """says: what was changed. text: the source that replaces the one of `file`."""

    says: str
    file: str
    text: str


Undo = Callable[[], None]


# --- rows of the table ------------------------------------------------------------------------------------------------


def of_rows(source: str) -> Iterator[Mutant]:
    """Mutate the table, row by row, by a line appended to the file."""
    every_phase: tuple[Phase, ...] = tuple(TABLE)
    keys = {key: (phase, row) for phase, rows in TABLE.items() for key, row in rows.items()}
    for phase, rows in TABLE.items():
        at = f"TABLE[{_name(phase)}]"
        names = list(rows)
        for key, row in rows.items():
            place = f"{at}[{_name(key)}]"
            other = next(
                (rows[k] for k in names[names.index(key) + 1 :] + names if rows[k].do is not row.do), Row(row.do, ())
            )
            changes = [
                ("dropped", f"del {place}"),
                (f"does {other.do.__name__} instead", f"{place} = Row({_handler(other)}, {place}.to)"),
            ]
            for target in row.to:
                fewer = ", ".join(_name(one) for one in row.to if one is not target)
                changes.append((f"may not lead to {_name(target)}", f"{place} = Row({place}.do, ({fewer},))"))
            more = next(one for one in every_phase if one not in row.to and one is not phase)
            changes.append((f"may lead to {_name(more)}", f"{place} = Row({place}.do, (*{place}.to, {_name(more)}))"))
            for says, line in changes:
                yield Mutant(
                    f"row {_name(phase)} × {_name(key)}: {says}", TABLE_FILE, _with(source, line.replace("(,)", "()"))
                )
        for key, (origin, _) in keys.items():
            if key not in rows:
                line = f"{at}[{_name(key)}] = TABLE[{_name(origin)}][{_name(key)}]"
                yield Mutant(f"row {_name(phase)} × {_name(key)}: added", TABLE_FILE, _with(source, line))


def _name(word: object) -> str:
    if isinstance(word, State | Stage | Timer | Then):
        return f"{type(word).__name__}.{word.name}"
    assert isinstance(word, type)
    return word.__name__


def _handler(row: Row) -> str:
    """Return the expression by which the table names a row's handler."""
    module = row.do.__module__.rpartition(".")[2]
    return row.do.__name__ if module == Path(TABLE_FILE).stem else f"{module}.{row.do.__name__}"


def _with(source: str, line: str) -> str:
    return f"{source}\n{line}\n"


# --- verdicts ---------------------------------------------------------------------------------------------------------


def of_verdicts(source: str) -> Iterator[Mutant]:
    """Change each field of each verdict to each other value."""
    for reason, verdict in VERDICTS.items():
        ends = (State.DISCONNECTED, State.ERROR, State.SUSPENDED)
        values: dict[str, Sequence[object]] = {
            "state": [one for one in ends if one is not verdict.state],
            "connecting": [one for one in (None, *ends) if one not in {verdict.connecting, verdict.state}],
            "then": [one for one in Then if one is not verdict.then],
            "alert": [not verdict.alert],
        }
        for field, others in values.items():
            for other in others:
                word = _name(other) if isinstance(other, State | Then) else repr(other)
                place = f"VERDICTS[Reason.{reason.name}]"
                line = f"import dataclasses\n{place} = dataclasses.replace({place}, {field}={word})"
                yield Mutant(f"verdict {reason.name}: {field} is {word}", REASONS, _with(source, line))


# --- the code ---------------------------------------------------------------------------------------------------------

_SWAPPED: dict[type, type] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
    ast.GtE: ast.Gt, ast.Gt: ast.GtE, ast.LtE: ast.Lt, ast.Lt: ast.LtE, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr,
}  # fmt: skip
_NUMBERS = [field.name for field in fields(Policy)]


def of_code(file: str, source: str) -> Iterator[Mutant]:
    """Mutate the operators, constants and statements within the functions of a file."""
    tree = ast.parse(source)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    for function in functions:
        for node in ast.walk(ast.Module(function.body, [])):
            for says, undo in _changes(node):
                line = getattr(node, "lineno", function.lineno)
                text = ast.unparse(tree)
                undo()
                yield Mutant(f"{Path(file).name} line {line}, {function.name}: {says}", file, text)


def _changes(node: ast.AST) -> Iterator[tuple[str, Undo]]:
    """Yield the mutations of a node, each applied in place with its undo, to be called before the next."""
    before = copy.copy(node.__dict__)

    def undo() -> None:
        node.__dict__.clear()
        node.__dict__.update(before)

    match node:
        case ast.Compare(ops=[op]) if type(op) in _SWAPPED:
            node.ops = [_SWAPPED[type(op)]()]
            yield f"`{_SWAPPED[type(op)].__name__}` for `{type(op).__name__}` in `{_text(before, node)}`", undo
        case ast.BoolOp(op=op) | ast.BinOp(op=op) if type(op) in _SWAPPED:
            node.op = _SWAPPED[type(op)]()
            yield f"`{ast.unparse(node)}`", undo
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            node.operand = ast.UnaryOp(ast.Not(), operand)
            yield f"no `not` before `{ast.unparse(operand)}`", undo
        case ast.Constant(value=bool(value)):
            node.value = not value
            yield f"{not value} for {value}", undo
        case ast.Constant(value=int(value) | float(value)):
            node.value = value + 1
            yield f"{value + 1} for {value}", undo
        case ast.Attribute(value=ast.Attribute(attr="policy") | ast.Name(id="policy"), attr=name) if name in _NUMBERS:
            node.attr = _NUMBERS[(_NUMBERS.index(name) + 1) % len(_NUMBERS)]
            yield f"policy.{node.attr} for policy.{name}", undo
        case ast.If(test=test) | ast.IfExp(test=test):
            for value in (True, False):
                node.test = ast.Constant(value)
                yield f"{value} for the condition `{ast.unparse(test)}`", undo
    yield from _deletions(node)


def _deletions(node: ast.AST) -> Iterator[tuple[str, Undo]]:
    """Remove each statement in turn, except asserts and docstrings."""
    for name in ("body", "orelse"):
        block = getattr(node, name, None)
        if not isinstance(block, list):
            continue
        for i, statement in enumerate(block):
            if isinstance(statement, ast.Assert | ast.FunctionDef) or _is_docstring(statement):
                continue
            if isinstance(statement, ast.Assign) or (isinstance(statement, ast.If | ast.For) and len(block) > 1):
                continue  # a missing name fails trivially; conditions are forced elsewhere
            block[i] = ast.Pass()

            def undo(block: list[ast.stmt] = block, i: int = i, statement: ast.stmt = statement) -> None:
                block[i] = statement

            yield f"without `{ast.unparse(statement).splitlines()[0]}`", undo


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _text(attributes: dict[str, object], node: ast.AST) -> str:
    return ast.unparse(type(node)(**{name: attributes[name] for name in node._fields}))


# --- running them -----------------------------------------------------------------------------------------------------


def passes(text: str, file: str, tests: Sequence[str]) -> bool:
    """Whether the tests pass with `text` in place of the file. For a process that ends afterwards."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    for name in [name for name in sys.modules if name.partition(".")[0] in {"controller", "tests"}]:
        del sys.modules[name]
    name = file.removesuffix(".py").replace("/", ".")
    spec = importlib.util.find_spec(name)
    assert spec is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        exec(compile(text, file, "exec"), module.__dict__)
    except Exception:  # noqa: BLE001 - a mutant that cannot be imported is killed
        return False
    setattr(sys.modules[name.rpartition(".")[0]], name.rpartition(".")[2], module)
    options = ("-x", "-q", "-p", "no:cacheprovider", "--assert=plain", "--hypothesis-seed=1")
    return pytest.main([*options, *tests]) is pytest.ExitCode.OK


def survives(task: tuple[Mutant, Sequence[str]]) -> bool:
    """Run the tests on one mutant."""
    mutant, tests = task
    return passes(mutant.text, mutant.file, tests)


def main() -> int:
    """Run all mutants and print the survivors. Returns 1 if the tests fail without any change."""
    parser = argparse.ArgumentParser(prog="python -m bench.mutants", description=__doc__)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", default="", help="only mutants whose description holds this word")
    parser.add_argument("tests", nargs="*", default=TESTS)
    options = parser.parse_args()
    table, reasons = ((ROOT / name).read_text("utf-8") for name in (TABLE_FILE, REASONS))
    mutants = [*of_rows(table), *of_verdicts(reasons)]
    for name in LIFECYCLE:
        mutants += of_code(name, (ROOT / name).read_text("utf-8"))
    mutants = [mutant for mutant in mutants if options.only in mutant.says]
    os.chdir(ROOT)
    with tempfile.TemporaryDirectory(prefix="switchboard-mutants-") as home:
        set_hypothesis_home_dir(home)  # failing examples must not enter the real tests' database
        return try_all(mutants, table, options.jobs, options.tests)


def try_all(mutants: Sequence[Mutant], unchanged: str, jobs: int, tests: Sequence[str]) -> int:
    """Run the tests on each mutant; print the survivors. Returns the exit code."""
    survivors = 0
    # Each mutant runs in a process forked from this one, which has imported everything slow already.
    with multiprocessing.get_context("fork").Pool(jobs, maxtasksperchild=1) as pool:
        if not pool.apply(passes, (unchanged, TABLE_FILE, tests)):
            print("the tests do not pass as they are", file=sys.stderr)
            return 1
        tasks = [(mutant, tests) for mutant in mutants]
        for i, (mutant, alive) in enumerate(zip(mutants, pool.imap(survives, tasks), strict=True), 1):
            if alive:
                survivors += 1
                print(f"survived: {mutant.says}", flush=True)
            if i % 50 == 0:
                print(f"{i} of {len(mutants)} tried", file=sys.stderr, flush=True)
    print(f"{len(mutants)} mutants, {survivors} survived")
    return 0


if __name__ == "__main__":
    sys.exit(main())
