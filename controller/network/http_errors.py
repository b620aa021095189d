"""What a call over HTTP can end with, apart from a timeout, and its wording, for our own calls and for browsers."""

import errno
import socket
import ssl
from collections.abc import Iterator

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
UNKNOWN_NAME = "the host name is not known (DNS)"
REFUSED = "the connection is refused"
NO_WAY = "this machine has no way there"
NO_TLS = "its host does not speak TLS: something else answers in its place"
WRONG_TIME = "its certificate is not valid today: is this machine's clock right?"
OTHER_HOST = "its certificate is another host's: something else answers in its place"
UNTRUSTED = "its certificate is not trusted: something else answers in its place"

_WRONG_TIME = {9, 10}
_OTHER_HOST = {62, 64}
"""OpenSSL's codes of why a certificate was refused: not valid yet, expired; of another name, of another address."""


def words(error: BaseException) -> str:
    """Return why a host cannot be reached, in words: those of the outermost known cause, else the error's own."""
    for cause in causes(error):
        match cause:
            case ssl.SSLCertVerificationError():
                return _of_certificate(cause)
            case ssl.SSLError():
                return NO_TLS
            case socket.gaierror():
                return UNKNOWN_NAME
            case ConnectionRefusedError():
                return REFUSED
            case OSError(errno=errno.ENETUNREACH | errno.EHOSTUNREACH):
                return NO_WAY
    return str(error) or type(error).__name__


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what caused it, the outermost first."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.exceptions[0] if isinstance(cause, BaseExceptionGroup) else cause.__cause__ or cause.__context__


def _of_certificate(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code in _WRONG_TIME:
        return WRONG_TIME
    return OTHER_HOST if error.verify_code in _OTHER_HOST else UNTRUSTED
