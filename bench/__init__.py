"""Side-by-side benchmarks against stock Visdom: `python -m bench` from the root of the repository.

Each module of this package measures one thing; its docstring says what is measured and what is not, and is printed in the report.
"""
