"""What travels, and the answers to it: agreement, envelope, acknowledgement, receipt; and the Journal protocol that the register implements.

Modules import only those before them: profile, draft, agreement, route, carrier, manifest, header, payload, dispatch, container,
permission, journal, manifest_copy, sealing, verifying, rewrap, opening, acknowledgement, receipt. From below only keys is imported.
"""
