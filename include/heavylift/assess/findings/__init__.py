"""The rules that look for what stands in the way: a table, each rule with an id, severity and remedy."""
