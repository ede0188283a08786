"""Who plays together, and what each of them plays."""
