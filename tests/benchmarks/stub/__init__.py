"""An S3 server that costs so little that the client is the limit.

``python -m tests.benchmarks.stub`` serves it. It checks no signature and keeps no bytes: all
objects have one content, of which the answers are constants, and it remembers which keys were
put into which bucket. Bucket ``bench`` is full from the start. ``GET /_counts`` tells the
requests by kind, the keys of each bucket and the server's own processor time. It is one process
and one thread, for the registry of keys is in memory.
"""
