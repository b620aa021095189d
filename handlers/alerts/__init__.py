"""From a transition to a message that sounds: incidents, whom they go to, and how they are delivered."""
