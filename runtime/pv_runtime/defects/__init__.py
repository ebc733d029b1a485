"""Known defects, planted one at a time in working models: what `apr bisect` is measured against."""
