"""HTTP for the web extension, under /gen5/. No route changes a file outside the library's index.

==========  ===================================================================
errors      an exception -> an HTTP error
origin      refuses requests that come from another website
params      a request's query -> checked values
truncate    limits the size of what a page is sent
file_json   an open file as JSON
thumbnails  images and latents -> small pictures; the browser asks for the size
verify      checks every byte of a file and reports its progress
handlers    the responses of the GET routes
routes      the routes, on ComfyUI's server
==========  ===================================================================
"""
