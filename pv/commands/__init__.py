"""One module a sub-command: `configure(parser)` and `run(arguments)`."""
