"""What must be true of a record before anything is run: one module for each kind of agreement."""
