"""What joins the switch to the databases and routes of a spec: used by the operators and the command line.

The packages below know nothing of each other; this is the one place where they meet.
"""
