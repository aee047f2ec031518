"""What decisions read: fields, values, times and days."""
