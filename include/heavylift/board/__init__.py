"""The board: where every migration stands, read from specs and evidence, for a page in a browser."""
