"""In the place of setuptools' module, which supervisor and gunicorn import to look for plugins.

Here are none to find, and importing the real one twice is a quarter of the start time."""
