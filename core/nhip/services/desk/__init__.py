"""The work of people: staff, who gets what, and telesales."""
