"""What the operating system wants of paths, writes and threads.

===========  =================================================================
windows      names and paths that Windows refuses, checked on every system
atomic       a file appears whole or not at all: temporary file, fsync, rename
threads      the same work on several things, on a few threads
user_folder  where keys and the list of trusted keys are kept
===========  =================================================================
"""
