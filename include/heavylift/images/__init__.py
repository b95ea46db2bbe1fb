"""Container images: copied by digest from registry to registry, and compared."""
