"""What an HTTP call can end with, apart from a timeout: httpx passes some of its libraries' errors on as they are."""

import httpx
from socksio.exceptions import SOCKSError

HTTP_ERRORS = (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, SOCKSError, ValueError)
"""SOCKSError: a SOCKS proxy answers something else. ValueError: an address with a host that cannot be encoded."""
