"""What a user would pick instead of a kernel, one file a family: timed beside it, and graded by nothing."""
