"""Erasers that fit one linear edit: closed forms, and searches against linear attackers."""
