"""What a call over HTTP can end with, apart from a timeout, and its wording, for our own calls and for browsers."""

import httpx
from socksio.exceptions import SOCKSError

NETWORK_ERRORS = (httpx.HTTPError, httpx.StreamError, SOCKSError)
"""httpx passes some of its libraries' errors on as they are. SOCKSError: a SOCKS proxy answers something else."""
HTTP_ERRORS = (*NETWORK_ERRORS, httpx.InvalidURL, ValueError)
"""ValueError: the address has a host that cannot be encoded."""

NETWORK_LOGIN = 511
"""The network wants somebody to log in first; no host answers with this itself (RFC 6585)."""
PROXY_REFUSES = 407

LOGIN_WANTED = f"the network wants somebody to log in first ({NETWORK_LOGIN})"
OTHER_LOGIN_WANTED = f"the proxy wants another user or password ({PROXY_REFUSES})"
UNKNOWN_NAME = "its host name is not known (DNS)"
REFUSED = "its host refuses the connection"
NO_TLS = "its host does not speak TLS: something else answers in its place"
WRONG_TIME = "its certificate is not valid today: is this machine's clock right?"
OTHER_HOST = "its certificate is another host's: something else answers in its place"
UNTRUSTED = "its certificate is not trusted: something else answers in its place"
