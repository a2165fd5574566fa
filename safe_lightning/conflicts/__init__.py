"""Which rows collide in the target's keys: key semantics as TiDB has them."""
