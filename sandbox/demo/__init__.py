"""The whole product against the stand-ins."""
