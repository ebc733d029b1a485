"""In what two versions of a contract differ in meaning: claims that came, went, or changed."""
