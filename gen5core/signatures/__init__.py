"""Ed25519 keys, the SIGN trailer, and the list of trusted keys.

============  =========================================================
keys          a signing key, a public key, and its form as one line of text
key_files     where keys are kept and who may read them
dsse          the bytes that are signed, and the envelope of signatures
trailer       write, read and check the SIGN trailer
trust         Signature and Trust: valid or not, trusted or not
trusted_keys  the user's list of trusted keys
============  =========================================================
"""
