"""``pv scaffold``: skeletons of what falsifiers lack, which fail until they are written."""

from __future__ import annotations

import argparse
import difflib
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from pv.common_options import add_format_argument
from pv.config import Config, load_config
from pv.edit import Add, Edit, Put, edit_text
from pv.errors import ConfigError
from pv.exits import Exit
from pv.printable import printable, printable_json
from pv.python_module import PythonModule
from pv.scaffold import Clause, Scaffold, plan_scaffold
from pv.selection import load_paths, select
from pv.spelling import block_lines
from pv.sync import Synced, write_sync
from pv.whole_file import create_file, make_folder

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``pv scaffold``."""
    parser.add_argument("what", nargs="+", metavar="ID|PATH", help="falsifier ids, contracts or folders")
    parser.add_argument(
        "--into",
        metavar="MODULE|FOLDER",
        help="where checks of unbound falsifiers go (default: pv_checks/, a module a contract)",
    )
    parser.add_argument("--tests", metavar="FOLDER", help="where hypothesis tests go (default: tests)")
    parser.add_argument(
        "--properties",
        action="store_true",
        help="instead: a falsifier with `property:` for each obligation of a standard type that none covers",
    )
    parser.add_argument(
        "--obligation",
        action="append",
        default=[],
        metavar="ID",
        help="only for this one, with --properties; may be given more than once",
    )
    parser.add_argument(
        "--subject",
        metavar="MODULE:FUNCTION",
        help="what --properties are of; its inputs are guessed from its source, which is not imported",
    )
    parser.add_argument("--bind", action="store_true", help="also write it into the contract")
    parser.add_argument("--dry-run", action="store_true", help="print what would be written, write nothing")
    add_format_argument(parser)


def run(arguments: argparse.Namespace) -> Exit:
    """Plan everything, and then write the Python files before the contracts that name them."""
    config = load_config()
    _refuse_idle(arguments)
    if arguments.properties:
        return _properties(arguments, config)
    chosen = select(arguments.what, config)
    scaffold = plan_scaffold(chosen, config, arguments.into, arguments.tests or "tests")
    written = [(module, module.after(_about(module))) for module in scaffold.modules]
    bound = _bound(scaffold.clauses, config) if arguments.bind else []
    if not arguments.dry_run:
        # Tests first: once its check is there, nothing is known to lack a test, should this end half-way.
        for module, after in sorted(written, key=lambda one: not _is_test(one[0])):
            if module.before is None:
                make_folder(module.path.parent)
                create_file(module.path, after)
            else:
                write_sync(Synced(module.path, module.shown, module.before, after, (), None))
        for synced in bound:
            write_sync(synced)
    if arguments.format == "json":
        print(printable_json(json.dumps(_json(scaffold, written, arguments), indent=1)))
        return Exit.ACCEPTED
    if arguments.dry_run:
        for module, after in written:
            _show(module.shown, module.before or b"", after)
        for synced in bound:
            _show(synced.shown, synced.before, synced.after)
    _text(scaffold, arguments)
    return Exit.ACCEPTED


def _refuse_idle(arguments: argparse.Namespace) -> None:
    """Refuse an option that would do nothing."""
    checks, properties = ("into", "tests"), ("obligation", "subject")
    for name in checks if arguments.properties else properties:
        if getattr(arguments, name):
            without = "of checks" if arguments.properties else "of properties"
            raise ConfigError(
                f"--{name} says something {without}, and this writes none",
                remedy=f"{'leave --properties out' if arguments.properties else 'add --properties'}, or this",
            )


def _properties(arguments: argparse.Namespace, config: Config) -> Exit:
    """Draft falsifiers with ``property:``; with ``--bind``, write them into the contracts."""
    from pv.property_drafts import draft_properties, edits_of
    from pv.reports.property_drafts import as_json, text

    contracts = load_paths(arguments.what, config)
    found = draft_properties(contracts, config, arguments.subject, arguments.obligation)
    edited = _edited(edits_of(found.drafts), config) if arguments.bind else []
    written = arguments.bind and not arguments.dry_run
    if written:
        for synced in edited:
            write_sync(synced)
    if arguments.format == "json":
        print(printable_json(json.dumps(as_json(found, written=written), indent=1)))
        return Exit.ACCEPTED
    if arguments.dry_run:
        for synced in edited:
            _show(synced.shown, synced.before, synced.after)
    for line in text(found, written=written):
        print(printable(line))
    if found.drafts:
        print("It is refused until it is written: `pv validate` says what is left.", file=sys.stderr)
    return Exit.ACCEPTED


def _is_test(module: PythonModule) -> bool:
    return module.path.name.startswith("test_")


def _about(module: PythonModule) -> str:
    if _is_test(module):
        return "Tests that `pv scaffold` began: each fails until it is written."
    return "Checks that `pv scaffold` began: each fails until it is written."


def _bound(clauses: Sequence[Clause], config: Config) -> list[Synced]:
    found: dict[str, list[Edit]] = {}
    for clause in clauses:
        edits = found.setdefault(clause.contract.path, [])
        place = clause.falsifier.path
        for key, value in clause.keys.items():
            edits.append(Put((*place, key), value) if isinstance(value, str) else Add(place, value, key))
    return _edited(found, config)


def _edited(found: Mapping[str, Sequence[Edit]], config: Config) -> list[Synced]:
    synced = []
    for shown, edits in found.items():
        path = config.root / shown
        before = path.read_bytes()
        after = edit_text(before.decode("utf-8"), edits, shown).encode("utf-8")
        synced.append(Synced(path, shown, before, after, (), None))
    return synced


def _show(name: str, before: bytes, after: bytes) -> None:
    old, new = (data.decode("utf-8").splitlines() for data in (before, after))
    for line in difflib.unified_diff(old, new, name if before else "/dev/null", name, lineterm=""):
        print(printable(line))


def _text(scaffold: Scaffold, arguments: argparse.Namespace) -> None:
    would = "would write" if arguments.dry_run else "wrote"
    for module in scaffold.modules:
        what = would if module.before is None else f"{would} into"
        print(printable(f"{what} {module.shown}: {', '.join(module.added)}"))
    for clause in scaffold.clauses:
        where = f"{clause.contract.path}:{clause.falsifier.where.line}"
        verb = "bound" if arguments.bind else "to add to"
        print(printable(f"{verb} {clause.falsifier.id} ({where}):"))
        for line in block_lines(dict(clause.keys), "    ", None):
            print(printable(line))
    if scaffold.complete:
        print(f"{scaffold.complete} falsifier(s) lack nothing that can be scaffolded")
    if scaffold.modules or scaffold.clauses:
        print("It fails until it is written: `pv discharge` ends with Error.", file=sys.stderr)


def _json(
    scaffold: Scaffold, written: Sequence[tuple[PythonModule, bytes]], arguments: argparse.Namespace
) -> dict[str, Any]:
    return {
        "written": not arguments.dry_run,
        "files": [
            {
                "file": module.shown,
                "new": module.before is None,
                "added": list(module.added),
                "text": after.decode("utf-8"),
            }
            for module, after in written
        ],
        "clauses": [
            {
                "falsifier": f"{clause.contract.stem}#{clause.falsifier.id}",
                "file": clause.contract.path,
                "line": clause.falsifier.where.line,
                "column": clause.falsifier.where.column,
                "keys": dict(clause.keys),
                "written": arguments.bind and not arguments.dry_run,
            }
            for clause in scaffold.clauses
        ],
        "complete": scaffold.complete,
    }
