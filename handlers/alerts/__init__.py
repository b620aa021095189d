"""From a transition to an alert that makes a sound: incidents, recipients and delivery."""
