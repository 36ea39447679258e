"""Screens: the main one, and forms, questions and help that open over it.

Never here: drawing of lines (`widgets`).
"""
