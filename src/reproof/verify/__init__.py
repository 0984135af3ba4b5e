"""Running a recorded run again, somewhere else, and saying what came out."""
