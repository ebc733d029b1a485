"""The process that renders one chat template; `chat_template` starts it.

A job is JSON on standard input, the answer is JSON on standard output: ``text``, or ``error``. Imports
nothing of this package, so that little is in reach of what escapes from the sandbox.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import resource
import sys
from collections.abc import Mapping
from typing import Any

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.parser
import jinja2.sandbox

__all__ = ["answer", "environment"]


class Generation(jinja2.ext.Extension):
    """``{% generation %}`` … ``{% endgeneration %}``, which mark an answer for training: their body."""

    tags = {"generation"}  # noqa: RUF012 - as Jinja declares it

    def parse(self, parser: jinja2.parser.Parser) -> list[jinja2.nodes.Node]:
        """Return what stands between the two."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def environment(now: dt.datetime) -> jinja2.sandbox.ImmutableSandboxedEnvironment:
    """Return the sandbox, with what templates find in transformers; `now` is the time that they are told."""

    def raise_exception(message: str) -> None:
        raise jinja2.exceptions.TemplateError(message)

    def to_json(
        value: object,
        ensure_ascii: bool = False,
        indent: int | None = None,
        separators: tuple[str, str] | None = None,
        sort_keys: bool = False,
    ) -> str:
        # Jinja's own escapes characters of HTML.
        return json.dumps(
            value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
        )

    found = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
    )
    found.filters["tojson"] = to_json
    found.globals["raise_exception"] = raise_exception
    found.globals["strftime_now"] = now.strftime
    return found


def answer(job: Mapping[str, Any]) -> dict[str, str]:
    """Render; whatever goes wrong is said in ``error``."""
    try:
        template = environment(dt.datetime.fromisoformat(job["now"])).from_string(job["template"])
        pieces: list[str] = []
        length = 0
        for piece in template.generate(job["variables"]):
            length += len(piece)
            if length > job["characters"]:
                return {"error": f"the chat template writes more than {job['characters']} characters"}
            pieces.append(piece)
        return {"text": "".join(pieces)}
    except jinja2.exceptions.TemplateSyntaxError as error:
        return {"error": f"the chat template is broken in line {error.lineno}: {error.message}"}
    except jinja2.exceptions.SecurityError as error:
        return {"error": f"the chat template does what is not allowed: {error}"}
    except jinja2.exceptions.UndefinedError as error:
        return {"error": f"the chat template asks for what is not there: {error}"}
    except jinja2.exceptions.TemplateError as error:
        return {"error": f"the chat template refuses these messages: {error}"}
    except MemoryError:
        return {"error": "the chat template takes more memory than it may"}
    except RecursionError:
        return {"error": "the chat template goes too deep"}
    except Exception as error:
        return {"error": f"the chat template fails: {type(error).__name__}: {error}"}


def limit(what: int, most: int) -> None:
    """Lower a limit of this process for good; one that is lower already stays, since none can be raised."""
    _, hard = resource.getrlimit(what)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (most, most))


def main() -> None:
    """Read the job, limit this process, answer."""
    job = json.loads(sys.stdin.buffer.read())
    limit(resource.RLIMIT_AS, job["memory"])
    limit(resource.RLIMIT_CPU, math.ceil(job["seconds"]))
    limit(resource.RLIMIT_CORE, 0)
    sys.stdout.write(json.dumps(answer(job)))


if __name__ == "__main__":
    main()
