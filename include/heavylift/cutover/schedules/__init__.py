"""Schedules of the workload: held on one side, let run on the other, no run missed silently."""
