"""Where keys lie: a private key that only its owner can read, and its public key beside it.

On Windows, which has no owner-only bits, the permissions of the folder protect a private key.

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
from .keys import PublicKey, SigningKey, parse_public_key

SIGNING_KEY_VARIABLE: Final = "GEN5_SIGNING_KEY"
"""Names the file of the private key that saves are signed with."""
DEFAULT_NAME: Final = "signing_key.pem"
PUBLIC_SUFFIX: Final = ".pub"
MAX_FILE_BYTES: Final = 2**20
_IS_POSIX: Final = os.name == "posix"
Check = Callable[[str, os.stat_result], None]
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


def default_key_path() -> Path | None:
    """Return where ``gen5core keygen`` puts a key by itself; None where no home folder is known."""
    folder = user_folder.key_folder()
    return None if folder is None else folder / DEFAULT_NAME


def public_key_path(path: str | os.PathLike[str]) -> Path:
    """Return where the public key of a private key's file lies: the same name, ``.pub`` in place of its suffix."""
    return Path(path).with_suffix(PUBLIC_SUFFIX)


def save_signing_key(path: str | os.PathLike[str], key: SigningKey) -> Path:
    """Write a private key that only its owner can read, and its public key beside it; return the latter's path.

    Raises
    ------
    FileExistsError
        if either file is there: a key that is replaced is lost.
    OSError
        as the file system gives it; neither file is left behind.
    """
    private, public = Path(path), public_key_path(path)
    if private == public:
        raise InvalidKeyError(f"{path}: .pub is what a public key's file ends in; name the private one .pem")
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
        if others than its owner can read it, or it holds no unencrypted Ed25519 key in PKCS #8 PEM.
    ImportError
        if the package cryptography is not installed.
    OSError
        as the file system gives it.
    """
    try:
        data = read_guarded(path, _check_private)
        with naming_key(path):
            return SigningKey.from_pem(data)
    except InvalidKeyError as error:
        if not _holds_public_key(path):
            raise
        raise InvalidKeyError(
            f"{os.fspath(path)}: is a public key; name the file of the private one"
        ) from error


def configured_signing_key() -> SigningKey | None:
    """Return the key that ``GEN5_SIGNING_KEY`` names; None where it names none. Raises as ``load_signing_key``."""
    path = os.environ.get(SIGNING_KEY_VARIABLE)
    return load_signing_key(path) if path else None


def load_public_key(path: str | os.PathLike[str]) -> PublicKey:
    """Return the one public key in a file.

    Raises
    ------
    InvalidKeyError
        if there is none, or more than one.
    OSError
        as the file system gives it.
    """
    lines = [line for line in read_lines(path) if line.strip() and not line.lstrip().startswith("#")]
    with naming_key(path):
        if len(lines) != 1 and "-----BEGIN" not in "".join(lines[:1]):
            raise InvalidKeyError(f"holds {len(lines)} keys; name a file that holds one")
        return parse_public_key(lines[0])


def read_lines(path: str | os.PathLike[str], check: Check = lambda path, status: None) -> list[str]:
    """Return the lines of a small text file; raises as ``read_guarded``, and InvalidKeyError if it is no UTF-8."""
    data = read_guarded(path, check)
    with naming_key(path):
        try:
            return data.decode("utf-8-sig").splitlines()  # as Windows' editors write it
        except UnicodeDecodeError as error:
            raise InvalidKeyError(f"is not text ({error})") from error


def read_guarded(path: str | os.PathLike[str], check: Check) -> bytes:
    """Return what is in a small regular file whose status, that of the very file read, check accepts."""
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
                raise InvalidKeyError(f"takes more than {MAX_FILE_BYTES} bytes: it is no key file")
            return data
    finally:
        os.close(descriptor)


def check_unwritable(path: str, status: os.stat_result) -> None:
    """Check that nobody but who reads a file, or root, can write to it; InvalidKeyError with the remedy if so.

    Root may read whose file it likes, as in a container that another user's folder is mounted into.
    """
    if _IS_POSIX and os.geteuid() not in (0, status.st_uid) and status.st_uid != 0:
        raise InvalidKeyError(
            f"belongs to another user (uid {status.st_uid}), so it proves nothing: make a list of your own"
        )
    if _IS_POSIX and status.st_mode & 0o022:
        raise InvalidKeyError(
            f"others than its owner can write to it, so it proves nothing: chmod go-w {shlex.quote(path)}"
        )


def _check_private(path: str, status: os.stat_result) -> None:
    if _IS_POSIX and status.st_mode & 0o077:
        mode = f"{stat.S_IMODE(status.st_mode):04o}"
        raise InvalidKeyError(
            f"others than its owner can use this private key (mode {mode}): chmod 600 {shlex.quote(path)}"
        )


def _holds_public_key(path: str | os.PathLike[str]) -> bool:
    try:
        load_public_key(path)
    except (InvalidKeyError, OSError):
        return False
    return True


@contextlib.contextmanager
def naming_key(path: str | os.PathLike[str]) -> Iterator[None]:
    """Let an InvalidKeyError raised inside name the file."""
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
