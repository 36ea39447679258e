"""What commands print: tables, progress, reports, JSON.

Never here: arguments, and decisions.
"""
