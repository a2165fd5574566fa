"""What safe-lightning changes itself: checkpoint entries, target tables, leavings; always planned, recorded, proven."""
