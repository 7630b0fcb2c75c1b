"""Erasers: systems that remove attributes from embeddings, one method a file, one contract."""
