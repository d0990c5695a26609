"""Incidents: failures of one cause become one thing that somebody is told of, and sees end."""
