"""Tells people what they must know by night: a web hook, a chat that takes Slack's, or mail."""
