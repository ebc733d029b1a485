"""How long verifying 1,000 signatures takes, beside what must be done at least.

python -m benchmarks.trust.signatures

Each of 1,000 envelopes over records of 20 KiB is read from its bytes and verified under a policy of ten keys,
as `pv evidence verify --policy` does; beside it, `cryptography` alone verifies the same signatures over the
same bytes. Both in one process, by turns; printed are the best times and their ratio.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from securesystemslib.dsse import Envelope
from securesystemslib.signer import CryptoSigner

from pv.evidence import parse_strict, spelled
from pv.signatures.envelope import PAYLOAD_TYPE, envelope_bytes, read_envelope
from pv.signatures.policy import KeyEntry, Policy
from pv.signatures.public_keys import PublicKey
from pv.signatures.sign import sign_payload
from pv.signatures.signers import signers_of

COUNT, KEYS, BYTES, ROUNDS = 1_000, 10, 20_000, 5
SECONDS = 2.0
"""What verifying all of them may take."""


def measure(count: int, rounds: int) -> tuple[float, float]:
    """Return the best seconds for `count` signatures: of ours, and of cryptography alone."""
    signers = [CryptoSigner.generate_ed25519() for _ in range(KEYS)]
    keys = [
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(signer.public_key.keyval["public"]))
        for signer in signers
    ]
    entries = [KeyEntry(str(number), PublicKey.of(key), None) for number, key in enumerate(keys)]
    policy = Policy({entry.key.keyid: entry for entry in entries}, (), (), 2, (), None)
    payloads = [spelled({"number": number, "text": "x" * BYTES}) for number in range(count)]
    files = [
        envelope_bytes(sign_payload(payload, signers[number % KEYS]))
        for number, payload in enumerate(payloads)
    ]
    bare = []
    for number, (payload, file) in enumerate(zip(payloads, files, strict=True)):
        public = bytes.fromhex(signers[number % KEYS].public_key.keyval["public"])
        signed = Envelope(payload, PAYLOAD_TYPE, {}).pae()
        bare.append((public, read_envelope("e", file).signatures[0][1], signed))

    def ours() -> None:
        for payload, file in zip(payloads, files, strict=True):
            found, keys = signers_of(read_envelope("e", file), payload, {}, policy)
            if found or len(keys) != 1:
                raise AssertionError(found)

    def theirs() -> None:
        for public, signature, signed in bare:
            Ed25519PublicKey.from_public_bytes(public).verify(signature, signed)

    parse_strict("warm", payloads[0])
    return _best([ours, theirs], rounds)


def _best(functions: Sequence[Callable[[], None]], rounds: int) -> tuple[float, float]:
    best = [float("inf")] * len(functions)
    for _ in range(rounds):
        for place, function in enumerate(functions):
            begun = time.perf_counter()
            function()
            best[place] = min(best[place], time.perf_counter() - begun)
    return best[0], best[1]


def main() -> int:
    """Print the figures; 1 where it takes too long."""
    ours, theirs = measure(COUNT, ROUNDS)
    print(f"{COUNT} signatures verified in {ours:.3f} s (wanted: at most {SECONDS:g} s)")
    print(f"cryptography alone: {theirs:.3f} s; ratio {ours / theirs:.2f}")
    return 0 if ours <= SECONDS else 1


if __name__ == "__main__":
    sys.exit(main())
