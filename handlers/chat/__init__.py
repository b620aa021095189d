"""What any chat service needs: messages as data, the port to implement, the send queue, limits, live messages."""
