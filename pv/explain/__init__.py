"""What ``pv explain`` tells: of a code, and of a falsifier, section by section."""
