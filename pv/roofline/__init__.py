"""The roofline: what no implementation can exceed on a given machine, and which claims do."""
