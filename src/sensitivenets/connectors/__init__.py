"""Databases that hold embeddings: PostgreSQL with pgvector, read and mapped in place."""
