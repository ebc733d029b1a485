"""What ``pv evidence`` does, an action or a few that belong together a module."""
