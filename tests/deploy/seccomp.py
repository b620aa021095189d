"""Compiles deploy/seccomp.json for the kernel, with the library that container runtimes use."""

import ctypes
import ctypes.util
import json
from pathlib import Path

from tests.deploy.build import ROOT

_ALLOW, _ERRNO, _UNKNOWN = 0x7FFF0000, 0x00050000, -1


def compile_profile(target: Path) -> bool:
    """Write the filter to a file. Returns False where the library is missing."""
    name = ctypes.util.find_library("seccomp")
    if name is None:
        return False
    library = ctypes.CDLL(name, use_errno=True)
    library.seccomp_init.restype = ctypes.c_void_p
    told = json.loads((ROOT / "deploy" / "seccomp.json").read_text("utf-8"))
    assert told["defaultAction"] == "SCMP_ACT_ALLOW"
    context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(_ALLOW)))
    try:
        for rule in told["syscalls"]:
            assert rule["action"] == "SCMP_ACT_ERRNO"
            for syscall in rule["names"]:
                number = library.seccomp_syscall_resolve_name(syscall.encode())
                if number != _UNKNOWN:  # one of another architecture
                    action = ctypes.c_uint32(_ERRNO | rule["errnoRet"])
                    assert library.seccomp_rule_add_array(context, action, number, 0, None) == 0, syscall
        with target.open("wb") as file:
            assert library.seccomp_export_bpf(context, file.fileno()) == 0
    finally:
        library.seccomp_release(context)
    return True
