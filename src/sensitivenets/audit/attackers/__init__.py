"""Who tries to read an attribute: each attacker of the audit in a file of its own."""
