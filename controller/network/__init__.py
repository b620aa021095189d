"""The network path to WhatsApp: the browsers' proxy, probes of its host, and detection of outages."""
