"""The actions behind commands and buttons: they check permissions, call the registry and answer."""
