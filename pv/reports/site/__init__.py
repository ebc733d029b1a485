"""The static site of ``pv report --html``: what holds, since when, and what broke in the last sweep."""
