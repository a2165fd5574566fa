"""What a checksum mismatch can mean: one pure function per cause, from the facts of a table to a score with reasons."""
