"""What any chat service needs: messages as data, the port it implements, turns, limits, live messages."""
