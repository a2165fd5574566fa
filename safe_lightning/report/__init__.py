"""Views of a run for people: the log, the progress bar, the closing summary."""
