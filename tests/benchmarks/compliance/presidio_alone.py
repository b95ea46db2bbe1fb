"""Run by an interpreter that has presidio-analyzer: look at each line of a file, and print what that took.

Presidio as it comes, with a blank model of spaCy's in place of one of 500 MB, which would only be slower.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from pathlib import Path


def main(file: str) -> None:
    """Look at every line; the start of Presidio is not counted."""
    import spacy
    import tldextract
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import SpacyNlpEngine

    logging.disable(logging.CRITICAL)
    tldextract.extract = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)

    class Blank(SpacyNlpEngine):
        def __init__(self) -> None:
            super().__init__()
            self.nlp = {"en": spacy.blank("en")}

    engine = AnalyzerEngine(nlp_engine=Blank(), supported_languages=["en"])
    lines = Path(file).read_text(encoding="utf-8").splitlines()
    engine.analyze(lines[0], "en")
    began = time.process_time()
    hits = sum(bool(engine.analyze(line, "en")) for line in lines)
    print(json.dumps({"seconds": time.process_time() - began, "hits": hits}))


if __name__ == "__main__":
    main(sys.argv[1])
