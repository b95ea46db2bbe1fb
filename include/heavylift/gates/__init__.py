"""Gates: named sets of checks over a run's evidence, and a person's agreement to their result.

A gate reads evidence and nothing else, so that no task's colour can open it.
"""
