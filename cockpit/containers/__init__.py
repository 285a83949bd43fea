"""What is running: containers, their numbers and their logs."""
