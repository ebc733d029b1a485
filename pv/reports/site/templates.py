"""The templates of the site, compiled once; they escape what they are given. Needs jinja2 (``pv[site]``)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, TypeAlias

from pv.errors import ConfigError
from pv.reports.site.pages import contract_link, falsifier_link
from pv.reports.site.source import Source

__all__ = ["Render", "load_templates", "site_files"]

Render: TypeAlias = Callable[[str, Mapping[str, Any]], str]
"""From the name of a template, and what it is given, to the text of a page."""


def site_files() -> Traversable:
    """Return the folder of the templates, the style sheet and the script."""
    return resources.files("pv.reports.site") / "files"


def load_templates(source: Source) -> Render:
    """Return what renders them; they know which pages there are to link to.

    Raises
    ------
    ConfigError
        jinja2 is not installed.
    """
    try:
        import jinja2
    except ImportError as error:
        raise ConfigError(
            "pv report --html needs jinja2, which is not installed", remedy="pip install 'pv[site]'"
        ) from error

    loader = jinja2.FunctionLoader(lambda name: (site_files() / name).read_text(encoding="utf-8"))
    environment = jinja2.Environment(
        loader=loader,
        autoescape=True,
        auto_reload=False,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["short"] = lambda value: f"{value:.4g}" if isinstance(value, float) else value
    environment.globals["falsifier_link"] = lambda address: (
        falsifier_link(address) if address in source.rows else ""
    )
    environment.globals["contract_link"] = lambda stem: contract_link(stem) if stem in source.groups else ""
    return lambda name, told: environment.get_template(name).render(told)
