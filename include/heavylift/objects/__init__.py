"""Objects: plans, copies and verifies buckets between any two stores, with proof."""
