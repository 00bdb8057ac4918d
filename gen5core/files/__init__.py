"""Files on every operating system.

===========  ===========================================================================================
windows      names and paths that Windows refuses, checked on every system
atomic       a file appears whole or not at all: temporary file, fsync, rename; abandoned ones are swept
together     several files appear together or not at all; what a killed process left is finished
threads      the same work on several things, on a few threads
user_folder  the folder for the user's own files: keys, the list of trusted keys
===========  ===========================================================================================
"""
