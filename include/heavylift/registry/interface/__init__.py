"""Moves a tracking server's history through the public REST interfaces of both servers, and nothing else."""
