"""What commands and buttons do: the rights are checked here, the registry is told, the answer is given."""
