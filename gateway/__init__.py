"""Mail: taking messages apart, checking what they carry, and answering the mail server. It holds no decryption key, and calls only office/.

A module imports only those before it in the order that pyproject.toml gives.
"""
