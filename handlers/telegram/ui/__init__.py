"""What people see: answers, cards, codes, keyboards."""
