"""Ed25519 keys, the SIGN trailer, and whom you trust.

============  =========================================================
keys          a signing key, a public key, and its one line of text
key_files     where keys are kept and who may read them
dsse          the bytes that are signed, and the envelope of signatures
trailer       the SIGN trailer: made, read, checked
trust         Signature and Trust: valid or not, trusted or not
trusted_keys  your list of trusted keys
============  =========================================================
"""
