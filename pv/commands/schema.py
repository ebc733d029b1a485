"""``pv schema``: the JSON Schema of a contract, for editors and other tools."""

from __future__ import annotations

import argparse
import sys
from importlib import resources

from pv.common_options import add_format_argument
from pv.exits import Exit
from pv.printable import printable, printable_json

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``pv schema``."""
    parser.description = (
        "Print the JSON Schema (2020-12) of a contract. Write it to a file, and name that file in the first "
        "line of a contract, for editors: # yaml-language-server: $schema=FILE"
    )
    parser.add_argument(
        "--with-checks",
        action="store_true",
        help="with the names of this project's checks, of what they measure and take, and of its subjects",
    )
    add_format_argument(parser, ("json",), "there is no other")


def run(arguments: argparse.Namespace) -> Exit:
    """Print the schema that is in the package; a test holds it equal to what contracts are typed with.

    With ``--with-checks`` it is made of the project around the working folder. Nothing is imported.

    Raises
    ------
    ConfigError
        There is no project here, or its ``pv.toml`` cannot be read.
    """
    if arguments.with_checks:
        _of_project()
    else:
        print(
            _encodable((resources.files("pv") / "contract.schema.json").read_text(encoding="utf-8")), end=""
        )
    return Exit.ACCEPTED


def _encodable(text: str) -> str:
    """Return JSON as it is, or the same in ASCII where standard output's encoding has not all of it."""
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        import json

        return json.dumps(json.loads(text), indent=1) + "\n"
    return text


def _of_project() -> None:
    # Imported late: the schema of the package is read as it is.
    import json

    from pv.config import load_config
    from pv.declared_checks import declared_checks
    from pv.project_schema import project_schema

    config = load_config()
    checks, wrong = declared_checks(config)
    for error in wrong:
        place = f"{error.where}: " if error.where else ""
        print(printable(f"{place}note: left out: {error.what}"), file=sys.stderr)
    if not checks:
        print("note: the sources of this project declare no check", file=sys.stderr)
    print(printable_json(json.dumps(project_schema(checks, config.subjects), indent=1)))
