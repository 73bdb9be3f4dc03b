"""Key ceremonies: a plan is led through, step by step, and leaves a transcript that anybody can replay (specs/transcript.md)."""
