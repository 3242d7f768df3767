"""External models, the user's own: files, folders and handles of TensorFlow Hub.

`spec` names one, `kinds` lists what can be read, `reading` reads it.
"""
