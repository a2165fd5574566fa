"""What a run leaves behind: its directory, the ledger over all runs, and the locks."""
