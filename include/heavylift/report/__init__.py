"""Reports: one self-contained HTML file about one run, made from its evidence alone."""
