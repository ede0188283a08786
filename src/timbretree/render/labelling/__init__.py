"""What truly sounds in each clip, and what people would have said of it."""
