"""The key scan's hot path on NumPy, for where no compiler was: whole chunks at once, stage by stage."""
