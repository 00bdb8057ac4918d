"""Key files: a private key that only its owner can read, with its public key beside it.

Windows has no owner-only mode bits; there, the permissions of the folder protect a private key.

Source: RFC 7468 (PEM), RFC 5958 (PKCS #8); FORMAT.md, "Keys".
"""

from __future__ import annotations

import contextlib
import os
import shlex
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from ..errors import InvalidKeyError
from ..files import user_folder
from .keys import BLANKS, PublicKey, SigningKey, parse_public_key

SIGNING_KEY_VARIABLE: Final = "GEN5_SIGNING_KEY"
"""Environment variable with the path of the private key that signs every save."""
DEFAULT_NAME: Final = "signing_key.pem"
PUBLIC_SUFFIX: Final = ".pub"
MAX_FILE_BYTES: Final = 2**20
_IS_POSIX: Final = os.name == "posix"
StatusCheck = Callable[[str, os.stat_result], None]
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
# O_NONBLOCK: opening a FIFO would otherwise wait for a writer.
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


def default_key_path() -> Path | None:
    """Return the default path of ``gen5core keygen``; None if no home folder is known."""
    folder = user_folder.key_folder()
    return None if folder is None else folder / DEFAULT_NAME


def public_key_path(path: str | os.PathLike[str]) -> Path:
    """Return the path of the public key for a private key's file: the same name with the suffix ``.pub``."""
    return Path(path).with_suffix(PUBLIC_SUFFIX)


def save_signing_key(path: str | os.PathLike[str], key: SigningKey) -> Path:
    """Write a private key that only its owner can read, and its public key beside it. Return the public key's path.

    Raises
    ------
    FileExistsError
        if either file exists: a replaced key would be lost.
    OSError
        from the file system; neither file is left behind.
    """
    private, public = Path(path), public_key_path(path)
    if private == public:
        raise InvalidKeyError(f"{path}: the suffix .pub is for public keys; name the private key .pem")
    _create(private, key.to_pem(), 0o600)
    try:
        _create(public, f"{key.public_key}\n".encode(), 0o644)
    except BaseException:
        private.unlink()
        raise
    return public


def load_signing_key(path: str | os.PathLike[str]) -> SigningKey:
    """Return the private key in a file.

    Raises
    ------
    InvalidKeyError
        if users other than its owner can access it, or it is not an unencrypted Ed25519 key in PKCS #8 PEM.
    ImportError
        if the package cryptography is not installed.
    OSError
        from the file system.
    """
    try:
        data = read_small_file(path, _check_private)
        with naming_key(path):
            return SigningKey.from_pem(data)
    except InvalidKeyError as error:
        if not _is_public_key(path):
            raise
        raise InvalidKeyError(
            f"{os.fspath(path)}: is a public key; name the file of the private key"
        ) from error


def configured_signing_key() -> SigningKey | None:
    """Return the key that ``GEN5_SIGNING_KEY`` names; None if it is unset. Raises as ``load_signing_key``."""
    path = os.environ.get(SIGNING_KEY_VARIABLE)
    return load_signing_key(path) if path else None


def load_public_key(path: str | os.PathLike[str]) -> PublicKey:
    """Return the public key in a file that has exactly one.

    Raises
    ------
    InvalidKeyError
        if there is none, or more than one.
    OSError
        from the file system.
    """
    lines = [line for line in read_lines(path) if holds_key(line)]
    with naming_key(path):
        if len(lines) != 1 and "-----BEGIN" not in "".join(lines[:1]):
            raise InvalidKeyError(f"has {len(lines)} keys; name a file with exactly one")
        return parse_public_key(lines[0])


def read_lines(path: str | os.PathLike[str], check: StatusCheck = lambda path, status: None) -> list[str]:
    """Return the lines of a small text file, which end at a line feed only: other line separators may be in a comment.

    Raises as ``read_small_file``, and InvalidKeyError if the file is not UTF-8.
    """
    data = read_small_file(path, check)
    with naming_key(path):
        try:
            lines = data.decode("utf-8-sig").split("\n")  # Windows editors write a byte order mark, and CR LF
        except UnicodeDecodeError as error:
            raise InvalidKeyError(f"is not text ({error})") from error
    return [line.removesuffix("\r") for line in (lines if lines[-1] else lines[:-1])]


def holds_key(line: str) -> bool:
    """Return whether a line is for a key: it is neither empty nor a comment."""
    text = line.strip(BLANKS)
    return bool(text) and not text.startswith("#")


def read_small_file(path: str | os.PathLike[str], check: StatusCheck) -> bytes:
    """Return the content of a small regular file whose status passes check.

    The status is taken from the open file, so that the file cannot be replaced between check and read.

    Raises
    ------
    InvalidKeyError
        if it is not a regular file, is larger than a key file can be, or fails check.
    OSError
        from the file system.
    """
    descriptor = os.open(path, _READ)
    try:
        with naming_key(path):
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise InvalidKeyError("is not a regular file")
            check(os.fspath(path), status)
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                data = file.read(MAX_FILE_BYTES + 1)
            if len(data) > MAX_FILE_BYTES:
                raise InvalidKeyError(f"has more than {MAX_FILE_BYTES} bytes: it is not a key file")
            return data
    finally:
        os.close(descriptor)


def check_unwritable(path: str, status: os.stat_result) -> None:
    """Raise InvalidKeyError if a user other than the current one and root can write to the file.

    Root may use any user's file: in a container, the mounted folder often belongs to another user.
    """
    if _IS_POSIX and os.geteuid() not in (0, status.st_uid) and status.st_uid != 0:
        raise InvalidKeyError(
            f"belongs to another user (uid {status.st_uid}), so it cannot be trusted: make a list of your own"
        )
    if _IS_POSIX and status.st_mode & 0o022:
        raise InvalidKeyError(
            f"users other than its owner can write to it, so it cannot be trusted: chmod go-w {shlex.quote(path)}"
        )


def _check_private(path: str, status: os.stat_result) -> None:
    if _IS_POSIX and status.st_mode & 0o077:
        mode = f"{stat.S_IMODE(status.st_mode):04o}"
        raise InvalidKeyError(
            f"users other than its owner can access this private key (mode {mode}): chmod 600 {shlex.quote(path)}"
        )


def _is_public_key(path: str | os.PathLike[str]) -> bool:
    try:
        load_public_key(path)
    except (InvalidKeyError, OSError):
        return False
    return True


@contextlib.contextmanager
def naming_key(path: str | os.PathLike[str]) -> Iterator[None]:
    """Add the path to every InvalidKeyError raised in the block."""
    try:
        yield
    except InvalidKeyError as error:
        raise InvalidKeyError(f"{os.fspath(path)}: {error}") from error


def _create(path: Path, data: bytes, mode: int) -> None:
    descriptor = os.open(path, _CREATE, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException as error:
        path.unlink()
        if isinstance(error, OSError) and error.filename is None:
            raise OSError(error.errno, error.strerror, os.fspath(path)) from error
        raise
