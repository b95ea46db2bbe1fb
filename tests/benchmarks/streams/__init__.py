"""Lanes about streams: the mirror beside the loop that anybody would write."""

US = "heavylift"
PLAIN = "consume-produce loop"
