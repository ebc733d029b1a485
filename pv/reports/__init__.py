"""What results look like to people and to programs."""
