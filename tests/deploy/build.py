"""Builds the image like `make image`: with buildah, without a daemon or an image registry.

Its base is made by mmdebstrap from this machine's own package sources, under the name that deploy/Dockerfile uses.
pip's settings on this machine (mirrors, certificates) are mounted into the build, and are in no layer.
"""

import configparser
import contextlib
import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BASE = re.search(r"^ARG BASE=(\S+)", (ROOT / "deploy" / "Dockerfile").read_text("utf-8"), re.MULTILINE)[1]
SUITE = re.search(r":(\w+)-slim$", BASE)[1]
_LENT = {"index-url", "extra-index-url", "find-links", "trusted-host", "cert", "proxy", "default-timeout"}
ISOLATION = {"BUILDAH_ISOLATION": "chroot"}


def run(*words: object, **more: object) -> str:
    done = subprocess.run(
        list(map(str, words)), check=False, capture_output=True, text=True, env=os.environ | ISOLATION, **more
    )
    if done.returncode:
        raise RuntimeError(f"{words[0]} {words[1]} failed: {(done.stdout + done.stderr)[-4000:]}")
    return done.stdout.strip()


def make_base(folder: Path) -> None:
    """Make the base image where it is not there yet."""
    if run("buildah", "images", "--quiet", "--filter", f"reference={BASE}"):
        return
    archive = folder / "base.tar"
    sources = sorted(Path("/etc/apt/sources.list.d").glob("debian.sources"))
    run("mmdebstrap", "--variant=minbase", SUITE, archive, *sources)
    container = run("buildah", "from", "scratch")
    try:
        run("buildah", "add", "--quiet", container, archive, "/")
        run("buildah", "commit", "--quiet", container, BASE)
    finally:
        run("buildah", "rm", container)
        archive.unlink()


def lent(folder: Path) -> list[str]:
    """Return the volumes by which pip in the build finds what pip here finds."""
    told = configparser.ConfigParser(interpolation=None)
    told["global"] = {}
    for line in run(sys.executable, "-m", "pip", "config", "list").splitlines():
        name, _, value = line.partition("=")
        kind, _, key = name.partition(".")
        if kind in {"global", ":env:"} and key in _LENT:
            told["global"][key] = value.strip("'").replace("\\n", " ")
    volumes = []
    if certificates := told["global"].get("cert"):
        told["global"]["cert"] = "/run/lent-certificates.crt"
        volumes.append(f"{certificates}:/run/lent-certificates.crt:ro")
    text = io.StringIO()
    told.write(text)
    for place in {f"/{match}" for match in re.findall(r"(?:file://)?/((?:[\w.-]+/)*[\w.-]+)", text.getvalue())}:
        path = Path(place.removesuffix("/simple"))
        if path.is_dir():
            volumes.append(f"{path}:{path}:ro")
    (folder / "pip.conf").write_text(text.getvalue(), "utf-8")
    return [*volumes, f"{folder / 'pip.conf'}:/etc/pip.conf:ro"]


def drop_old() -> None:
    """Remove what earlier builds left: of the images without a name, all but those of the newest build's two stages.

    What steps of builds have in common is kept by buildah beneath them, so that the next build takes seconds.
    """
    for image in run("buildah", "images", "--quiet", "--filter", "dangling=true").splitlines()[2:]:
        with contextlib.suppress(RuntimeError):  # a step beneath another image, or one that another build uses
            run("buildah", "rmi", image)


def build() -> None:
    """Build the image `switchboard`, from what earlier builds left where that is the same. Raises RuntimeError."""
    with tempfile.TemporaryDirectory() as work:
        make_base(Path(work))
        volumes = " ".join(f"--volume {volume}" for volume in lent(Path(work)))
        run("make", "image", f"IMAGE_ARGS=--pull-never --layers {volumes}", cwd=ROOT)
    drop_old()


if __name__ == "__main__":
    build()
