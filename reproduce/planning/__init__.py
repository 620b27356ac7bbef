"""What is to be run: protocols, and the runs that they ask for."""
