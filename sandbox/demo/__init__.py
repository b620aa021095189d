"""The whole product running against the stand-ins."""
