"""External models, the user's own: files, folders and handles of TensorFlow Hub.

`kinds` lists what can be read and which module here reads it, `spec` names one, `reading` describes or builds it.
"""
