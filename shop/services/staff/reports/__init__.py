"""Reports: each reads the books in a few statements, whatever their size, and hands over finished tables.

A report is tables of plain numbers, columns of which may be drawn: the page, its plots and its files show the same.
Days are Shanghai's; money is fen.
"""
