"""What is claimed of each kernel, one file a family."""
