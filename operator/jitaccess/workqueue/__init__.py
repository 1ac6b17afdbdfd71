"""What is open, and when to look at it: the store, the schedule, the clocks."""
