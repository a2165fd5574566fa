"""The key scan: every duplicate PRIMARY or UNIQUE key of a source, found before the import."""
