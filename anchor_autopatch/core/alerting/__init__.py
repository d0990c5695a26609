"""How somebody is told of an incident: what both the application's process and the job need."""
