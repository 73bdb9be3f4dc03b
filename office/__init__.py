"""One body's office: its folder, and everything that it does, composed of the layers below. cli calls only this.

Modules in order: home, founding, trusting, reader, papers, sending, receiving, answering.
"""
