"""What every service stands on: workspaces, their keys, words and closed days, and what guards a change."""
