"""Pure decisions: plain data in, plain data out; no disk, clock, network or process."""
