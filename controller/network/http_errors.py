"""What an HTTP call can end with, apart from a timeout: httpx passes some of its libraries' errors on as they are."""

import httpx
from socksio.exceptions import SOCKSError

NETWORK_ERRORS = (httpx.HTTPError, httpx.StreamError, SOCKSError)
"""SOCKSError: a SOCKS proxy answers something else."""
HTTP_ERRORS = (*NETWORK_ERRORS, httpx.InvalidURL, ValueError)
"""ValueError: the address has a host that cannot be encoded."""
