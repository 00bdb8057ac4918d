"""Ed25519 keys, the SIGN trailer, and the list of trusted keys.

============  ==============================================================================
keys          a signing key, a public key, and a public key's line of text
key_files     key files: their names, who may read them, loading and saving
dsse          the bytes that are signed, and the envelope of signatures
trailer       writes and reads the SIGN trailer, and decides whether each signature is valid
trust         Signature and Trust: unsigned, signed, trusted, invalid or not checked
lookalikes    whether the name of one key looks like that of another
trusted_keys  the user's list of trusted keys
============  ==============================================================================
"""
