"""Distributed training jobs for another platform: machines, launcher, fabric, placement, batch."""
