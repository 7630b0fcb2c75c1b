"""Erasers that fit one linear edit: closed forms and linear games."""
