"""How fast, how small: measured against a plain server on the same machine in the same run."""
