"""What is claimed of each kernel's speed, one file a family."""
