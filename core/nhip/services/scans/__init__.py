"""What time sets off: who asks which scans, and one look of each."""
