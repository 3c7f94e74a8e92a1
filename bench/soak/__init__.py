"""Many jobs through one server, all accounted for, and nothing left behind."""
