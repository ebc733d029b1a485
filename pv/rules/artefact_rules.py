"""The rules about other artefacts than contracts, by code. Imported only where there is such a file."""

from __future__ import annotations

from pv.rules.artefact_rule import ArtefactRule
from pv.rules.manifest_digest import manifest_digest
from pv.rules.manifest_fields import manifest_fields
from pv.rules.manifest_provenance import manifest_provenance
from pv.rules.manifest_schema import manifest_schema
from pv.rules.manifest_size import manifest_size
from pv.rules.manifest_url import manifest_url
from pv.rules.registry_crate import registry_crate
from pv.rules.registry_empty import registry_empty
from pv.rules.registry_names import registry_names
from pv.rules.registry_target import registry_target
from pv.rules.registry_twice import registry_twice
from pv.rules.registry_version import registry_version

__all__ = ["ARTEFACT_RULES"]

ARTEFACT_RULES: dict[str, ArtefactRule] = {
    rule.code: rule
    for rule in (
        registry_version,
        registry_crate,
        registry_empty,
        registry_names,
        registry_target,
        registry_twice,
        manifest_schema,
        manifest_fields,
        manifest_provenance,
        manifest_digest,
        manifest_size,
        manifest_url,
    )
}
