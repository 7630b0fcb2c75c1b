"""From photographs to embeddings: read, find faces, align, embed."""
