"""Screens: the main one, and the forms, dialogs and help that open over it.

Never here: drawing of lines (`widgets`), and the application (`app_interface` has the part of it for screens).
"""
