"""An agent leaves this program, or comes from another one: exports, archives, and networks trained elsewhere.

Nothing here is imported by training.
"""
