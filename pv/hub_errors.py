"""What goes wrong between us and the hub, in one sentence each.

What the library says itself is not shown: it may hold addresses, and those may hold signatures.
"""

from __future__ import annotations

import contextlib
import errno
import logging
from collections.abc import Iterator

from pv.errors import PvError
from pv.hub import HubPath

__all__ = ["FetchError", "explained", "quiet"]


class FetchError(PvError):
    """A subject cannot be brought here."""


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep the library from printing addresses, which may hold signatures."""
    logger = logging.getLogger("huggingface_hub")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


@contextlib.contextmanager
def explained(hub: HubPath, name: str = "") -> Iterator[None]:
    """Turn what the library raises into one sentence; its own may hold addresses with signatures in them."""
    try:
        yield
    except PvError:
        raise
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise FetchError("the disk of the cache is full", remedy="make room, and fetch again") from None
        raise _why(error, hub, name) from None
    except Exception as error:
        raise _why(error, hub, name) from None


def _why(error: Exception, hub: HubPath, name: str) -> FetchError:
    shown = f"{hub.repo}@{hub.revision}"
    response = getattr(error, "response", None)
    if response is None:
        response = getattr(error.__cause__, "response", None)
    status = getattr(response, "status_code", None)
    code = response.headers.get("X-Error-Code", "") if response is not None else ""
    file = name or " or ".join(hub.names[:3])
    match status, code:
        case _, "GatedRepo":
            return FetchError(
                f"{hub.repo} is gated: its owner grants access one by one",
                remedy="ask for it on the hub's page, then log in: hf auth login",
            )
        case 401 | 403, _:
            return FetchError(
                f"the hub does not let us read {shown} ({status}): it is private, or not there",
                remedy="log in with an account that may: hf auth login",
            )
        case 404, "RevisionNotFound":
            return FetchError(f"{hub.repo} has no revision {hub.revision}", remedy="correct it in pv.toml")
        case 404, "EntryNotFound":
            return FetchError(f"{shown} has no file {file}", remedy="correct it in pv.toml")
        case 404, _:
            return FetchError(
                f"the hub has no {shown}, or no file {file} in it", remedy="correct it in pv.toml"
            )
        case int(), _:
            return FetchError(f"the hub answered {status} for {shown}", remedy="try again later")
    if isinstance(error, OSError) and "Consistency check" in str(error):
        return FetchError(f"{file} of {shown} ended early, or has another size", remedy="fetch it again")
    kind = type(error.__cause__ or error).__name__
    return FetchError(
        f"the hub cannot be reached for {shown}, or the connection broke ({kind})",
        remedy="look at the network, and fetch again: files that came whole are kept",
    )
