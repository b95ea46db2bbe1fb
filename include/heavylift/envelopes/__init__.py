"""Envelopes: objects that are encrypted here before they are sent, each with a key of its own."""
