"""The command line: parse, call one function of office, print. Modules in order: terminal, render, options, one per command group, demo, main."""
