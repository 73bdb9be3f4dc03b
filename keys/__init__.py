"""Who may sign or receive, and what a signature covers: encoding, statements, keys, credentials, rosters.

Modules import only those before them: errors, encoding, labels, digests, fields, statement, signing, recipient, files, keyfile,
root, credential, roster. Nothing here imports another layer.
"""
