"""The compiled part of the key scan, and its absence: C for the hot path, bound by ctypes."""
