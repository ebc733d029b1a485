"""Signed evidence: who vouches for a record, and a policy that says whose word counts for what.

A record is signed as a DSSE envelope beside it (https://github.com/secure-systems-lab/dsse, protocol 1.0.2)
with Ed25519, by securesystemslib, and verified by cryptography alone; the payload is exactly the record's
bytes.
"""

from __future__ import annotations
