"""Read-only HTTP for the web extension, under /gen5/.

==========  ===============================================
errors      an exception -> an HTTP error
params      a request's query -> checked values
truncate    as much of a value as a page can show
file_json   an open file as JSON
thumbnails  small pictures of images and latents
verify      a check of every byte that reports its progress
handlers    what each route answers
routes      the routes themselves, on ComfyUI's server
==========  ===============================================
"""
