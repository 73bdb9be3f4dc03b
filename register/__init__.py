"""The journal of an office: what was sent and received, with numbers. Modules in order: store, journal."""
