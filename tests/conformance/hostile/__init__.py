"""Requests that are meant to harm, as data."""
